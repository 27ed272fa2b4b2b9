#ifndef OPENMMFLOW_FLOWPROPOSALS_H_
#define OPENMMFLOW_FLOWPROPOSALS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "openmmflow/FlowContext.h"

namespace OpenMMFlow {

/**
 * The proposals of flow moves, drawn ahead in blocks. Move m takes samples m*K ... m*K+K-1 of a seed, so that
 * each is used once, and each move has the same whatever came before it.
 */
class FlowProposals {
public:
    /**
     * @param seed      the seed of the samples
     * @param perMove   K, the number of proposals in each move
     * @param threads   the number of threads that draw them
     */
    FlowProposals(const Flow& flow, uint64_t seed, int perMove, const std::string& threads);
    /** Make the proposals of a move available. Returns whether a new block had to be drawn. */
    bool select(long long move);
    /** Get where in the block the selected move's proposals begin. */
    int getFirst() const { return first; }
    /** Get the positions of all proposals of the block, (count, N, 3) in nm, centred at the origin. */
    const std::vector<double>& getBlockPositions() const { return positions; }
    /** Get log q of all proposals of the block, (count); +infinity outside the support. */
    const std::vector<double>& getBlockLogQ() const { return logQ; }
    /**
     * Compute the log q that belongs into the weight of a configuration, (N, 3): for augmented flows log
     * q(x,a) - log pi(a|x) with one a drawn from pi(a|x).
     *
     * @param index   what determines the draw, besides the seed
     */
    double computeLogQ(const std::vector<double>& configuration, uint64_t index);

private:
    std::unique_ptr<FlowContext> context;
    uint64_t seed;
    int perMove, movesPerBlock, first = 0;
    long long block = -1;
    std::vector<double> positions, logQ;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FLOWPROPOSALS_H_*/
