#ifndef OPENMMFLOW_BATCHEDPOTENTIAL_H_
#define OPENMMFLOW_BATCHEDPOTENTIAL_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "openmm/Platform.h"
#include "openmm/System.h"

namespace OpenMMFlow {

/**
 * A BatchedPotential computes the potential energies and forces of many copies of a System in one call.
 *
 * The copies are evaluated by a pool of Contexts, one per thread. The System is copied: later changes to it
 * have no effect. Calls on one BatchedPotential must not overlap in time.
 *
 * The energy of a configuration depends neither on the other configurations of the call nor on the number of
 * threads, but for the round-off of platforms that keep a neighbour list (CPU with a cutoff).
 */
class BatchedPotential {
public:
    /**
     * Create a BatchedPotential on the Platform that is fastest for a single copy of this System: Reference
     * for at most 60 particles (35 with a GBSAOBCForce) and no other Forces than bonds, angles, torsions
     * (custom ones too) and a NonbondedForce without periodic boundaries; CPU for all others, if it is there.
     * On both, each Context runs on one thread.
     *
     * @param system       the System
     * @param properties   "Threads": how many copies to evaluate at once (by default as
     *                     many as the CPU platform would use threads)
     */
    explicit BatchedPotential(const OpenMM::System& system,
                              const std::map<std::string, std::string>& properties = {});
    /**
     * Create a BatchedPotential on a particular Platform.
     *
     * @param system       the System
     * @param platform     the Platform on which the energies are computed
     * @param properties   "Threads": how many copies to evaluate at once (by default one on a GPU,
     *                     else as above); all others go to the Platform's Contexts
     */
    BatchedPotential(const OpenMM::System& system, OpenMM::Platform& platform,
                     const std::map<std::string, std::string>& properties = {});
    ~BatchedPotential();
    BatchedPotential(const BatchedPotential&) = delete;
    BatchedPotential& operator=(const BatchedPotential&) = delete;
    int getNumParticles() const;
    /** Get how the energies are computed, such as "contexts: Reference, 2 threads". */
    std::string getImplementation() const;
    /**
     * Compute potential energies.
     *
     * @param positions   (count, N, 3) in nm
     * @return (count) in kJ/mol; NaN or infinity where OpenMM finds that, NaN where it refuses the
     *         configuration
     */
    std::vector<double> computeEnergies(const std::vector<double>& positions);
    /**
     * Compute potential energies and forces.
     *
     * @param positions   (count, N, 3) in nm
     * @param energies    (count): on exit, the energies in kJ/mol
     * @param forces      (count, N, 3): on exit, the forces in kJ/mol/nm; NaN where OpenMM refuses the
     *                    configuration
     */
    void computeEnergiesAndForces(const std::vector<double>& positions, std::vector<double>& energies,
                                  std::vector<double>& forces);

private:
    struct Implementation;
    std::unique_ptr<Implementation> impl;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_BATCHEDPOTENTIAL_H_*/
