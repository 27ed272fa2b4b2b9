#ifndef OPENMMFLOW_ANNEALINGSCHEDULE_H_
#define OPENMMFLOW_ANNEALINGSCHEDULE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace OpenMMFlow {

/**
 * The way from a flow to the target: a ladder of densities, log pi_beta = (1-beta) log q - beta u up to a
 * constant, and the moves which leave each of them invariant.
 *
 * Annealing is exact with any schedule that was fixed before the run. FlowSampler::planAnnealing() finds one
 * in a pilot run; an ensemble records it as JSON in its metadata entry "annealing".
 */
class AnnealingSchedule {
public:
    /** beta of each density, ascending, the first 0 (the flow) and the last 1 (the target). */
    std::vector<double> betas;
    /** The step size of the leapfrog integrator at each beta but the first, in nm (particles have unit mass).
     */
    std::vector<double> stepSizes;
    /** By how much, relative to it, the step size of a move differs from these at most. */
    double stepSizeJitter = 0.1;
    /** The leapfrog steps in each move; 1 makes it a Metropolis-adjusted Langevin (MALA) step. */
    int leapfrogSteps = 1;
    /** The number of moves at each beta but the first. */
    int movesPerBeta = 1;
    /** The seed and the number of samples of the pilot run. */
    uint64_t pilotSeed = 0;
    long long pilotSize = 0;
    /** The conditional effective sample fraction and the acceptance that the pilot run aimed at. */
    double conditionalEss = 0, targetAcceptance = 0;
    /** The average acceptance probability that the pilot run found at each beta but the first. */
    std::vector<double> acceptances;

    /** Throw an OpenMM::OpenMMException unless this is a schedule that can be run. */
    void check() const;
    /** Get a JSON object from which fromJson() restores the schedule bit by bit. */
    std::string toJson() const;
    /** Read what toJson() wrote. @throws OpenMM::OpenMMException if it is anything else */
    static AnnealingSchedule fromJson(const std::string& json);
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ANNEALINGSCHEDULE_H_*/
