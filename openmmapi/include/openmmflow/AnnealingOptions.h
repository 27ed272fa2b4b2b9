#ifndef OPENMMFLOW_ANNEALINGOPTIONS_H_
#define OPENMMFLOW_ANNEALINGOPTIONS_H_

#include <cstdint>
#include <optional>

#include "openmmflow/AnnealingSchedule.h"

namespace OpenMMFlow {

/** How FlowSampler::anneal() goes from the flow to the target. */
struct AnnealingOptions {
    /**
     * The number of samples in an island: 1 for annealed importance sampling, whose samples are all
     * independent (Neal 2001, Stat. Comput. 11, 125), more for sequential Monte Carlo, which resamples within
     * each island (Del Moral, Doucet and Jasra 2006, J. R. Stat. Soc. B 68, 411).
     */
    long long islandSize = 1;
    /** An island is resampled when its effective sample size falls below this fraction of its size. */
    double resamplingThreshold = 0.5;
    /** The schedule to use. Without one a pilot run finds it, by the options that follow; with one they are
     * ignored. */
    std::optional<AnnealingSchedule> schedule;
    /**
     * The conditional effective sample size of each step in beta, as a fraction (Zhou, Johansen and Aston
     * 2016, J. Comput. Graph. Stat. 25, 701): nearer to 1 are more steps and less variance.
     */
    double conditionalEss = 0.99;
    /** The acceptance probability that step sizes are tuned for. */
    double acceptance = 0.7;
    /** The leapfrog steps in each move; 1 makes it a Metropolis-adjusted Langevin (MALA) step. */
    int leapfrogSteps = 5;
    /** The number of moves at each beta. A flow with an effective sample fraction as low as 1e-5 needs
     * several: heavy tails that few samples reach make errors too small, and Pareto k may not tell. */
    int movesPerBeta = 1;
    /** The number of samples in the pilot run. */
    long long pilotSize = 1000;
    /** The seed of the pilot run. Its random numbers are others than those of a run with the same seed. */
    uint64_t pilotSeed = 0;

    /** Throw an OpenMM::OpenMMException if an option is out of its range, or if these samples are no whole
     * islands. */
    void check(long long count = 0, uint64_t first = 0) const;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ANNEALINGOPTIONS_H_*/
