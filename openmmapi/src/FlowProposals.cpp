#include "FlowProposals.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "FlowParticles.h"
#include "RemoveAverage.h"
#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

/** Enough samples for all lanes of a few threads, few enough that drawing them is not felt. */
const int PROPOSED_BLOCK = 64;
/** The errors of log q in single precision, root mean square and largest, up to which moves use it: they act
 * as an energy of so many kT would. */
const double TYPICAL_ERROR = 5e-4, LARGEST_ERROR = 1e-2;

/** Whether a FlowContext agrees with a more precise one about log q of its own samples. */
bool isAccurate(FlowContext& context, FlowContext& precise) {
    vector<double> positions, sampled;
    context.sampleJoint(PROPOSED_BLOCK, positions, sampled, 0);
    const vector<double> found = context.computeJointLogDensity(positions),
                         expected = precise.computeJointLogDensity(positions);
    double sumOfSquares = 0;
    for (int k = 0; k < PROPOSED_BLOCK; k++)
        if (isfinite(sampled[k])) {
            const double error = abs(sampled[k] - expected[k]) + abs(found[k] - expected[k]);
            // Infinite or NaN where they disagree about the support.
            if (!(error <= LARGEST_ERROR))
                return false;
            sumOfSquares += error * error;
        }
    return sqrt(sumOfSquares / PROPOSED_BLOCK) <= TYPICAL_ERROR;
}

/** A context in single precision where that is good enough for a flow, else in double. */
unique_ptr<FlowContext> createMoveContext(const Flow& flow, const string& threads) {
    unique_ptr<FlowContext> precise = createDoublePrecisionContext(flow, threads);
    try {
        auto context = make_unique<FlowContext>(
            flow, precise->getPlatform(), map<string, string>{{"Precision", "single"}, {"Threads", threads}});
        if (isAccurate(*context, *precise))
            return context;
    } catch (const OpenMMException&) {
        // Not every platform has single precision.
    }
    return precise;
}

}  // namespace

FlowProposals::FlowProposals(const Flow& flow, uint64_t seed, int perMove, const string& threads)
    : context(createMoveContext(flow, threads)),
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
    // In single precision their centres are at the origin to seven digits only, and a move must not push.
    const int size = (int)positions.size() / count;
    for (int k = 0; k < count; k++)
        removeAverage(&positions[(size_t)k * size], size / 3);
    block = wanted;
    return true;
}

double FlowProposals::computeLogQ(const vector<double>& configuration, uint64_t index) {
    return context->computeLogDensityOfOne(configuration, nullptr, 1, seed, index);
}

}  // namespace OpenMMFlow
