#ifndef OPENMMFLOW_BATCHEDHMCINTEGRATOR_H_
#define OPENMMFLOW_BATCHEDHMCINTEGRATOR_H_

#include "openmmflow/BatchedIntegrator.h"

namespace OpenMMFlow {

/**
 * Hamiltonian (hybrid) Monte Carlo of many replicas, each at its own temperature (Duane et al. 1987, Phys.
 * Lett. B 195, 216). A step of this integrator is one proposal: velocities drawn from the Maxwell-Boltzmann
 * distribution, a trajectory of velocity Verlet, and its end accepted with probability min(1, exp(-(H_new -
 * H_old)/kT)). The Boltzmann distribution of the positions is stationary for any step size, exactly.
 *
 * A trajectory with an energy that is NaN or infinite is rejected, and counted.
 */
class BatchedHMCIntegrator : public BatchedIntegrator {
public:
    /** One proposal of a pilot run, for the record. */
    struct PilotProposal {
        /** In ps. */
        double stepSize;
        /** The acceptance probability, averaged over the replicas. */
        double acceptance;
    };
    /**
     * Create an integrator.
     *
     * @param system            the System, from which the masses are taken
     * @param potential         the energies and forces; it must outlive this object
     * @param temperatures      (replicas): the temperature of each replica in K
     * @param stepSize          the step size of velocity Verlet in ps
     * @param stepsPerProposal  the number of velocity Verlet steps in a trajectory
     * @param seed              the seed of the random numbers
     * @param firstReplica      the number, among all that share a seed, of the first replica
     * @param properties        "Threads": the number of threads of all but the forces (default: as many as
     * the CPU platform would use)
     * @throws OpenMM::OpenMMException for a System with constraints, virtual sites, massless particles or a
     * barostat
     */
    BatchedHMCIntegrator(const OpenMM::System& system, BatchedPotential& potential,
                         const std::vector<double>& temperatures, double stepSize, int stepsPerProposal,
                         uint64_t seed = 0, uint64_t firstReplica = 0,
                         const std::map<std::string, std::string>& properties = {});
    int getStepsPerProposal() const { return stepsPerProposal; }
    /** Get by how much, relative to it, the step size of a proposal differs from getStepSize() at most. */
    double getStepSizeJitter() const { return jitter; }
    /**
     * Set by how much, relative to it, the step size of a proposal differs from getStepSize() at most (0.1 by
     * default). It is drawn for each proposal and replica, uniformly, because with one length for all
     * trajectories a vibration of a matching period would never change its amplitude.
     */
    void setStepSizeJitter(double jitter);
    /** Make a number of proposals for each replica. */
    void step(long long proposals) override;
    /**
     * Find a step size in a pilot run, by dual averaging (Nesterov 2009, as in section 3.2 of Hoffman and
     * Gelman 2014, J. Mach. Learn. Res. 15, 1593). The step size is the same for all replicas, and stays
     * fixed afterwards: while it adapts, the Boltzmann distribution is not stationary, so the pilot's
     * configurations are good for equilibration only. It depends on all replicas here: to share replicas
     * among machines, run one pilot and set its result.
     *
     * @param acceptance   the average acceptance probability to aim at, between 0 and 1
     * @param proposals    the number of proposals
     * @return all proposals of the pilot
     */
    std::vector<PilotProposal> tuneStepSize(double acceptance = 0.8, int proposals = 100);
    /** Get the number of proposals for each replica since the statistics were reset. */
    long long getNumProposals() const { return numProposals; }
    /** Get the number of accepted proposals of each replica since the statistics were reset. */
    const std::vector<long long>& getNumAcceptances() const { return acceptances; }
    /** Get the number of proposals of each replica that had no finite energy since the statistics were reset.
     */
    const std::vector<long long>& getNumNonFinite() const { return nonFinite; }
    /** Get H_new - H_old of the last proposal of each replica in kJ/mol. */
    const std::vector<double>& getEnergyErrors() const { return energyErrors; }
    /** Start counting anew. tuneStepSize() does so at its end. */
    void resetStatistics();
    std::string getName() const override;
    std::string getDescription() const override;
    void save(TensorFile& file) override;

protected:
    void loadOwn(const TensorFile& file) override;
    /** Run a trajectory of every replica from the positions and velocities, with the step sizes of the
     * proposal. */
    void integrate();
    // Of the proposal that is being made.
    std::vector<double> velocities, stepSizes, oldHamiltonians, oldPositions, oldForces, oldEnergies,
        energyErrors;

private:
    void propose();
    void begin(int replica);
    void kick(int replica, double time);
    void decide(int replica);
    double getAcceptanceProbability(int replica) const;
    double getKineticEnergy(int replica) const;
    int stepsPerProposal;
    double jitter = 0.1;
    long long numProposals = 0;
    std::vector<long long> acceptances, nonFinite;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_BATCHEDHMCINTEGRATOR_H_*/
