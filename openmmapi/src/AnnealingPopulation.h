#ifndef OPENMMFLOW_ANNEALINGPOPULATION_H_
#define OPENMMFLOW_ANNEALINGPOPULATION_H_

#include <cstdint>
#include <vector>

#include "AnnealingMove.h"
#include "AnnealingPath.h"
#include "openmmflow/AnnealingSchedule.h"

namespace OpenMMFlow {

/**
 * Samples on their way from the flow to the target, in islands of one size, by a sequential Monte Carlo
 * sampler (Del Moral, Doucet and Jasra 2006, J. R. Stat. Soc. B 68, 411). The average of exp(log w) in each
 * island is an unbiased estimate of the integral of exp((1-beta) log q - beta u), also where the effective
 * sample size decides when to resample (Whiteley, Lee and Heine 2016, Bernoulli 22, 494). With islands of one
 * sample this is annealed importance sampling.
 */
class AnnealingPopulation {
public:
    /** Draw samples first ... first+count-1 of a seed from the flow, at beta = 0. */
    AnnealingPopulation(AnnealingPath& path, uint64_t seed, uint64_t first, long long count,
                        long long islandSize);
    double getBeta() const { return beta; }
    /** Go on to a larger beta: log w grows by the work, (beta' - beta) (-u - log q). */
    void reweight(double nextBeta);
    /** Resample each island whose effective sample size is below a fraction of its size. */
    void resample(double threshold);
    /** Move each sample once. */
    MoveCounts move(double stepSize, double jitter, int leapfrogSteps);
    /** Get the conditional effective sample fraction of a step to another beta, of all islands together:
     * (Zhou, Johansen and Aston 2016, J. Comput. Graph. Stat. 25, 701). */
    double getConditionalEss(double nextBeta) const;
    const std::vector<double>& getLogWeights() const { return logWeights; }
    const std::vector<double>& getPositions() const { return states.positions; }
    /** Get the reduced potentials, with the marks of WeightedEnsemble::fromLogWeights() for samples of weight
     * zero. */
    std::vector<double> getReducedPotentials() const;

private:
    double getWork(long long k, double nextBeta) const;
    AnnealingPath& path;
    long long islandSize;
    AnnealingStates states;
    std::vector<double> logWeights;
    std::vector<uint64_t> keys;
    double beta = 0;
    uint64_t numMoves = 0, numResamplings = 0;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ANNEALINGPOPULATION_H_*/
