#ifndef OPENMMFLOW_ANNEALINGMOVE_H_
#define OPENMMFLOW_ANNEALINGMOVE_H_

#include <cstdint>
#include <vector>

#include "AnnealingPath.h"

namespace OpenMMFlow {

/** What became of moves. Samples of weight zero are not moved. */
struct MoveCounts {
    long long proposed = 0, accepted = 0;
    /** Moves that were rejected because they met a configuration off the support, or without a finite energy.
     */
    long long offSupport = 0, notFinite = 0;
    /** The sum of the acceptance probabilities. */
    double probabilities = 0;
    MoveCounts& operator+=(const MoveCounts& other);
};

/**
 * A move of Hamiltonian Monte Carlo (Duane et al. 1987, Phys. Lett. B 195, 216), which leaves pi_beta
 * invariant for any step size: momenta from the standard normal distribution, a leapfrog trajectory, and its
 * end accepted with probability min(1, exp(H_old - H_new)), H = -log pi_beta + p^2/2. All particles have unit
 * mass, so that the step size is a length, and no average momentum, since configurations count modulo
 * translation.
 *
 * A trajectory is given up where it meets a state that is not allowed. So is the one backwards, which meets
 * the same states, and detailed balance holds.
 */
class AnnealingMove {
public:
    double beta;
    /** In nm. */
    double stepSize;
    double jitter;
    int leapfrogSteps;
    /**
     * Move each state once.
     *
     * @param keys   (count): what makeReplicaKey() returns for each sample
     * @param step   the number of the move, which tells its random numbers from those of others
     */
    MoveCounts apply(AnnealingPath& path, AnnealingStates& states, const std::vector<uint64_t>& keys,
                     uint64_t step) const;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ANNEALINGMOVE_H_*/
