#ifndef OPENMMFLOW_REPLICAEXCHANGE_H_
#define OPENMMFLOW_REPLICAEXCHANGE_H_

#include <functional>
#include <string>
#include <vector>

#include "openmmflow/BatchedIntegrator.h"

namespace OpenMMFlow {

/**
 * Replica exchange over a ladder of temperatures (parallel tempering; Sugita and Okamoto 1999, Chem. Phys.
 * Lett. 314, 141), in any number of independent ladders at once.
 *
 * The replicas of a BatchedIntegrator are its ladders, one after the other. After every `interval` steps
 * neighbours exchange temperatures, by turns the pairs (0, 1), (2, 3), ... and (1, 2), (3, 4), ... of each
 * ladder, with probability
 *
 *     min(1, exp((1/kT_i - 1/kT_j) (U_i - U_j)))
 *
 * which leaves the product of the Boltzmann distributions invariant. Replicas keep their positions, while
 * their temperatures move; velocities are scaled by the square root of the ratio of temperatures. The
 * distribution at each temperature is that of the integrator alone: exact with a BatchedHMCIntegrator, with
 * the error of the time step with a BatchedLangevinMiddleIntegrator.
 *
 * Random numbers are a function of the seed of the integrator, the number of the ladder (from
 * getFirstReplica() on) and the number of the exchange, so that ladders can be shared among objects or
 * machines.
 */
class ReplicaExchange {
public:
    /**
     * Called after each exchange with the number done so far and the number asked for. Returning false stops
     * early.
     */
    using Progress = std::function<bool(long long done, long long total)>;
    /**
     * Create a replica exchange.
     *
     * @param integrator        the replicas, whose temperatures now are those of one ladder after the other:
     * all the same, and rising. It must outlive this object, which alone may then set its temperatures
     * @param numTemperatures   the number of temperatures of a ladder; with 1 there are no exchanges
     * @param interval          the number of steps between exchanges
     */
    ReplicaExchange(BatchedIntegrator& integrator, int numTemperatures, int interval);
    /** Get temperatures with equal ratios, in K, repeated for each ladder: what the integrator is created
     * with. */
    static std::vector<double> createTemperatures(double lowest, double highest, int numTemperatures,
                                                  int numLadders = 1);
    int getNumTemperatures() const { return (int)temperatures.size(); }
    int getNumLadders() const { return integrator.getNumReplicas() / getNumTemperatures(); }
    int getInterval() const { return interval; }
    /** Get the temperatures of a ladder in K. */
    const std::vector<double>& getTemperatures() const { return temperatures; }
    /**
     * Propagate and exchange.
     *
     * @return the number of exchanges made, which is less than asked for if `progress` returned false
     */
    long long run(long long exchanges, const Progress& progress = {});
    /** Get the number of exchanges made so far. */
    long long getNumExchanges() const { return numExchanges; }
    /** Get for each replica which temperature of its ladder it is at. */
    const std::vector<int>& getLevels() const { return levels; }
    /** Get the positions at one temperature: (ladders, N, 3) in nm. */
    std::vector<double> getPositions(int level) const;
    /** Get the potential energies: (ladders, temperatures) in kJ/mol. */
    std::vector<double> getPotentialEnergies() const;
    /** Get for each pair of neighbours how often it could exchange since the statistics were reset, in all
     * ladders. */
    const std::vector<long long>& getNumAttempts() const { return attempts; }
    /** Get for each pair of neighbours how often it exchanged since the statistics were reset, in all
     * ladders. */
    const std::vector<long long>& getNumAcceptances() const { return acceptances; }
    /**
     * Get how often a replica went from the lowest temperature to the highest and back, since the statistics
     * were reset, in all ladders.
     */
    long long getNumRoundTrips() const { return roundTrips; }
    /** Start counting anew. */
    void resetStatistics();
    /** Get everything that is needed to go on bit by bit, the integrator included. */
    std::string createCheckpoint() const;
    /** Go on from a checkpoint, whose integrator was like this one. If it is refused, nothing has changed. */
    void loadCheckpoint(const std::string& bytes);

private:
    void exchange();
    void countRoundTrips();
    BatchedIntegrator& integrator;
    int interval;
    std::vector<double> temperatures;
    long long numExchanges = 0, roundTrips = 0;
    /** For each replica: where it is, and which end of the ladder it was at last (-1 until it has been at the
     * lowest temperature). */
    std::vector<int> levels, lastEnds;
    std::vector<long long> attempts, acceptances;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_REPLICAEXCHANGE_H_*/
