%typemap(in) double mass {
    if (!numberInUnit($input, "dalton", $1))
        SWIG_fail;
}
%typemap(out) std::vector<int> {
    $result = PyList_New($1.size());
    for (size_t i = 0; i < $1.size(); i++)
        PyList_SET_ITEM($result, i, PyLong_FromLong($1[i]));
}

namespace OpenMMFlow {

%feature("kwargs") AugmentedParticles::addTo;

/**
 * The augmented particles of a flow as particles of a System, for a BoltzmannGeneratorForce. (A MonteCarloFlowMove and a
 * FlowSampler need none.)
 *
 * They come with a Force -scale kT log pi(a|x) that ties each to its particle, normalisation included. The scale is a
 * Context parameter, "AugmentedConditionalScale": raise it together with the force field when annealing from the flow.
 */
class AugmentedParticles {
public:
    %feature("docstring") Scale "Get the name of the Context parameter that scales the Force.";
    static const std::string& Scale();
    %feature("docstring") addTo
        "Add the augmented particles of a flow to a System, and the Force. They take no part in its NonbondedForces and
CustomNonbondedForces, which must have been added before.

Parameters
----------
system : openmm.System
flow : Flow
particles : sequence of int
    the indices of the flow's particles in the System, in its order
temperature : float or Quantity
    in K
mass : float or Quantity
    the mass of each, in dalton: it has no influence on averages

Returns
-------
list of int
    the indices of the augmented particles, in the order of the flow's";
    static std::vector<int> addTo(OpenMM::System& system, const Flow& flow, const std::vector<int>& particles,
                                  double temperature, double mass = 12);

private:
    AugmentedParticles();
};

%extend AugmentedParticles {
    static std::vector<double> _drawPositions(const Flow& flow, const std::vector<double>& positions, uint64_t seed) {
        return AugmentedParticles::drawPositions(flow, positions, seed);
    }
    %pythoncode %{
        @staticmethod
        def drawPositions(flow, positions, seed=0):
            """Return positions for the augmented particles, (A, 3) in nm, drawn from pi(a|x).

            Parameters
            ----------
            flow : Flow
            positions : (N, 3), nm or Quantity
            seed : int
            """
            positions = conformation(positions, flow.getNumParticles())
            return AugmentedParticles._drawPositions(flow, positions, random_seed(seed)).reshape(-1, 3)
    %}
}

}
