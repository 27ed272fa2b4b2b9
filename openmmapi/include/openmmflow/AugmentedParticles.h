#ifndef OPENMMFLOW_AUGMENTEDPARTICLES_H_
#define OPENMMFLOW_AUGMENTEDPARTICLES_H_

#include <string>
#include <vector>

#include "openmm/System.h"
#include "openmmflow/Flow.h"

namespace OpenMMFlow {

/**
 * The augmented particles of a flow as particles of a System, for a BoltzmannGeneratorForce. (A
 * MonteCarloFlowMove and a FlowSampler need none.)
 *
 * They come with a Force -scale kT log pi(a|x) that ties each to its particle, normalisation included, so
 * that the free energy of what else acts on x is not changed by them. The scale is a Context parameter,
 * "AugmentedConditionalScale", 1 at first. An annealing path from the flow to a force field raises it
 * together with the force field, and lowers that of the BoltzmannGeneratorForce: without either nothing would
 * hold them.
 */
class AugmentedParticles {
public:
    /** Get the name of the Context parameter that scales the Force. */
    static const std::string& Scale() {
        static const std::string key = "AugmentedConditionalScale";
        return key;
    }
    /**
     * Add the augmented particles of a flow to a System, and the Force. They take no part in NonbondedForces
     * and CustomNonbondedForces of the System, which must have been added before. (Long-range corrections are
     * averages over all particles, so that those of periodic Systems change by a little.)
     *
     * @param system        the System, to which A particles are added
     * @param flow          the flow
     * @param particles     the indices of its N particles in the System, in its order
     * @param temperature   the temperature, in K
     * @param mass          the mass of each augmented particle, in dalton: it has no influence on averages
     * @return the indices of the augmented particles, in the order of the flow's
     * @throws OpenMM::OpenMMException if the flow has none, or the System has a Force that they cannot be
     * left out of
     */
    static std::vector<int> addTo(OpenMM::System& system, const Flow& flow, const std::vector<int>& particles,
                                  double temperature, double mass = 12);
    /**
     * Get positions for the augmented particles, drawn from pi(a|x).
     *
     * @param flow        the flow
     * @param positions   (N, 3) in nm
     * @param seed        the seed
     * @return (A, 3) in nm
     */
    static std::vector<double> drawPositions(const Flow& flow, const std::vector<double>& positions,
                                             uint64_t seed = 0);

private:
    AugmentedParticles();
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_AUGMENTEDPARTICLES_H_*/
