#include "FlowProposals.h"

#include <algorithm>

#include "FlowParticles.h"

using namespace std;

namespace OpenMMFlow {

namespace {

/** Enough samples for all lanes of a few threads, few enough that drawing them is not felt. */
const int PROPOSED_BLOCK = 64;

}  // namespace

FlowProposals::FlowProposals(const Flow& flow, uint64_t seed, int perMove, const string& threads)
    : context(createDoublePrecisionContext(flow, threads)),
      seed(seed),
      perMove(perMove),
      movesPerBlock(max(1, PROPOSED_BLOCK / perMove)) {}

bool FlowProposals::select(long long move) {
    const long long wanted = move / movesPerBlock;
    first = (int)(move % movesPerBlock) * perMove;
    if (block == wanted)
        return false;
    const int count = movesPerBlock * perMove;
    context->sample(count, positions, logQ, seed, (uint64_t)wanted * count);
    block = wanted;
    return true;
}

double FlowProposals::computeLogQ(const vector<double>& configuration) {
    return context->computeLogDensity(configuration)[0];
}

}  // namespace OpenMMFlow
