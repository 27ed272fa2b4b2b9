#ifndef OPENMMFLOW_BOLTZMANNGENERATORFORCE_H_
#define OPENMMFLOW_BOLTZMANNGENERATORFORCE_H_

#include <string>
#include <vector>

#include "openmm/Force.h"
#include "openmmflow/Flow.h"

namespace OpenMMFlow {

/**
 * A BoltzmannGeneratorForce turns the distribution of a Flow into a potential energy of some of the particles
 * of a System:
 *
 *     U(x) = -scale kT log q(x)
 *
 * At scale 1 with nothing else acting on the particles, their Boltzmann distribution at the temperature T is
 * the flow's. log q is the density in nm^-(3N-3) of the relative positions: the energy does not depend on
 * where the particles are as a whole, and its zero has no meaning.
 *
 * The scale is a Context parameter, "BoltzmannGeneratorScale" unless setScaleParameterName() gives it another
 * name. Context parameters are global: two Forces with the same name share one scale. The State has the
 * derivative of the energy with respect to it, -kT log q, on the Reference and CPU platforms. On others
 * (OpenCL, CUDA, HIP) it has none, because OpenMM gives Forces that are computed on the host no way to report
 * one there; since the energy is proportional to the scale, the derivative is the energy at scale 1.
 *
 * For a flow with augmented particles it is the joint -scale kT log q(x,a), with the augmented particles in
 * the System: AugmentedParticles adds them. Their positions count relative to the others'. Integrated over
 * them this is -kT log q(x) only at scale 1 with nothing else acting on them; their masses are free. Flows in
 * two dimensions act on x and y only.
 *
 * Forces are the exact gradient almost everywhere: log q of a flow made of rational-quadratic splines has
 * kinks at the knots, where its gradient jumps, so that constant-energy dynamics drift more than with a
 * smooth potential. Measured for alanine dipeptide (22 atoms, 300 K, VerletIntegrator): 1 kT/ps with steps of
 * 0.25 fs and 5 kT/ps with 0.5 fs, where the force field's energy stays within 0.05 kT/ps. A thermostat takes
 * care of it. The flow is evaluated in double precision on every platform.
 *
 * A flow may describe one hand of a molecule or one of cis and trans only, and its density is zero elsewhere.
 * Computing this Force there, where the energy is infinite, throws an OpenMMException, unless the scale is 0.
 * LocalEnergyMinimizer tries such configurations: set the scale to 0 while it minimises.
 * In a periodic System the particles must be one whole molecule: no periodic boundary conditions are applied.
 */
class BoltzmannGeneratorForce : public OpenMM::Force {
public:
    /** Get the default name of the Context parameter that scales the energy. */
    static const std::string& Scale() {
        static const std::string key = "BoltzmannGeneratorScale";
        return key;
    }
    /**
     * Create a BoltzmannGeneratorForce.
     *
     * @param flow          the Flow
     * @param particles     the indices of the N particles in the System, in the order of the flow's, then
     * those of the augmented ones, if the flow has any
     * @param temperature   the temperature T, in K
     * @throws OpenMM::OpenMMException if the temperature is not positive. When a Context is created, if the
     * number of particles is not the flow's, or if one is not in the System or named twice
     */
    BoltzmannGeneratorForce(const Flow& flow, const std::vector<int>& particles, double temperature);
    const Flow& getFlow() const { return flow; }
    /** Get the indices of the particles in the System, in the order of the flow's. */
    const std::vector<int>& getParticles() const { return particles; }
    /** Get the temperature, in K. */
    double getTemperature() const { return temperature; }
    /** Get the name of the Context parameter that scales the energy. */
    const std::string& getScaleParameterName() const { return scaleParameterName; }
    /** Set the name of the Context parameter that scales the energy. */
    void setScaleParameterName(const std::string& name) { scaleParameterName = name; }
    /** Get the scale that a new Context begins with: 1 unless it was set. */
    double getDefaultScale() const { return defaultScale; }
    /** Set the scale that a new Context begins with. */
    void setDefaultScale(double scale) { defaultScale = scale; }
    bool usesPeriodicBoundaryConditions() const override { return false; }

protected:
    OpenMM::ForceImpl* createImpl() const override;

private:
    Flow flow;
    std::vector<int> particles;
    double temperature;
    std::string scaleParameterName = Scale();
    double defaultScale = 1;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_BOLTZMANNGENERATORFORCE_H_*/
