namespace OpenMMFlow {

%feature("kwargs") BoltzmannGeneratorForce::BoltzmannGeneratorForce;

/**
 * A Force whose energy is -scale kT log q(x) of some particles of the System, where q is the density of a flow.
 *
 * The scale is a Context parameter, "BoltzmannGeneratorScale" unless setScaleParameterName() gives it another name; Forces
 * that name the same one share it. On Reference and CPU the State has the derivative of the energy with respect to it.
 */
class BoltzmannGeneratorForce : public OpenMM::Force {
public:
    %feature("docstring") BoltzmannGeneratorForce
        "Create a BoltzmannGeneratorForce.

Parameters
----------
flow : Flow
particles : sequence of int
    the indices of the flow's particles in the System, in its order
temperature : float or Quantity
    in K";
    BoltzmannGeneratorForce(const Flow& flow, const std::vector<int>& particles, double temperature);
    %feature("docstring") Scale "Get the default name of the Context parameter that scales the energy.";
    static const std::string& Scale();
    Flow getFlow() const;
    const std::vector<int>& getParticles() const;
    double getTemperature() const;
    const std::string& getScaleParameterName() const;
    void setScaleParameterName(const std::string& name);
    double getDefaultScale() const;
    void setDefaultScale(double scale);
    bool usesPeriodicBoundaryConditions() const;
};

FORCE_CASTS(BoltzmannGeneratorForce)

}
