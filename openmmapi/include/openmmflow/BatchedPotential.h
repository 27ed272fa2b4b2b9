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
 * The Forces of the System are translated, and evaluated with one copy in each SIMD lane, or, where they
 * cannot be, by a pool of Contexts, one per thread: getImplementation() tells. A translation is used only if
 * it agrees with OpenMM's Reference platform, Force by Force, which is tested at construction. Translated are
 * HarmonicBondForce, HarmonicAngleForce, PeriodicTorsionForce, RBTorsionForce, CMAPTorsionForce,
 * NonbondedForce, GBSAOBCForce, and CustomBondForce, CustomAngleForce, CustomTorsionForce,
 * CustomCompoundBondForce, CustomExternalForce, CustomNonbondedForce and CustomGBForce (of these, the models
 * that openmm.app makes are recognised, and faster), all without periodic boundary conditions, and virtual
 * sites of every kind but a SymmetrySite that uses box vectors. A line on standard error names what the pool
 * is used for. Systems of more than 5000 particles, or of more than 1500 with a cutoff, go to the pool too.
 *
 * Positions are taken as they are: constraints are not applied, but virtual sites are computed, whatever is
 * given for them (NaN too). As in a State, the force on a virtual site is included in those on its parents,
 * and reported for it too.
 *
 * In single precision, positions are taken relative to the centre of the particles and rounded to 7 digits:
 * two molecules that are 100 nm apart have energies of bonds that are off by 0.01 kJ/mol, and ten times as
 * much at ten times the distance. Choose double precision for them.
 *
 * The System is copied: later changes to it have no effect. Calls on one BatchedPotential must not overlap in
 * time. The energy of a configuration depends neither on the other configurations of the call nor on the
 * number of threads, but for the round-off of platforms that keep a neighbour list (a pool of Contexts on CPU
 * with a cutoff).
 */
class BatchedPotential {
public:
    /**
     * Create a BatchedPotential on the fastest Platform.
     *
     * @param system       the System
     * @param properties   "Threads" (by default as many as the CPU platform would use), "Precision" (single,
     * the default, or double; a pool of Contexts has that of its Platform), and "Implementation"
     * ("contexts" for the pool in any case, "batched" for an exception where batches are impossible; by
     * default whichever is faster)
     */
    explicit BatchedPotential(const OpenMM::System& system,
                              const std::map<std::string, std::string>& properties = {});
    /**
     * Create a BatchedPotential on a particular Platform.
     *
     * @param system       the System
     * @param platform     the Platform on which the energies are computed. Reference is in double precision,
     * on one thread unless it is a pool of Contexts
     * @param properties   as above; a pool of Contexts passes on what else the Platform knows
     */
    BatchedPotential(const OpenMM::System& system, OpenMM::Platform& platform,
                     const std::map<std::string, std::string>& properties = {});
    ~BatchedPotential();
    BatchedPotential(const BatchedPotential&) = delete;
    BatchedPotential& operator=(const BatchedPotential&) = delete;
    int getNumParticles() const;
    /** Get how the energies are computed: "batched", or "contexts: " and the reason why not. */
    std::string getImplementation() const;
    /** Get where the energies are computed, such as "batched: CPU, single, 2" (threads). */
    std::string getDescription() const;
    /** Get the values of all global parameters of the Forces. */
    const std::map<std::string, double>& getParameters() const;
    /**
     * Set a global parameter of the Forces, as Context::setParameter() does.
     *
     * @throws OpenMM::OpenMMException if no Force has it
     */
    void setParameter(const std::string& name, double value);
    /** Set which force groups to include, as a bit mask: bit i for group i. All by default (-1). */
    void setForceGroups(int groups);
    /** Get a number that grows whenever a parameter or the force groups are set: what was computed before
     * then is out of date. */
    long long getGeneration() const;
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
