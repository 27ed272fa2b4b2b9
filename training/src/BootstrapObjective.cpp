#include "BootstrapObjective.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "BatchLikelihood.h"
#include "PrioritizedDraw.h"
#include "SelectRows.h"
#include "TrainingState.h"

using namespace OpenMMFlow;
using at::Tensor;

namespace {

/** p^2/q, from which the gradient of the divergence has the least noise. */
const IntermediateTarget squared = {-1, 2};
/** At first so much of the buffer is filled: an eighth, of which no sample is drawn too often. */
const int initialFraction = 8;
/** The largest correction of a weight in one step: what has become much less likely than it was is drawn more
 * often afterwards. */
const double largestCorrection = 10;

}  // namespace

BootstrapObjective::BootstrapObjective(const TrainableFlow& trainable, const FlowTrainerOptions& options,
                                       const Target& target, const ProcessGroup& group)
    : BufferedObjective(trainable, options, target, group),
      annealing(trainable, *potential, getKT(),
                {options.annealingDensities, options.leapfrogSteps, options.targetAcceptance}, group) {}

double BootstrapObjective::getTemperature(int64_t step) const {
    return schedule.getTemperature(isPretraining(step) ? 0 : 1);
}

double BootstrapObjective::computeBufferGradient(TrainingState& state) {
    SampleBuffer& buffer = state.buffer;
    if ((state.step - schedule.countPretrainingSteps()) % options.bootstrapInterval == 0
        || buffer.firstStep < 0)
        addSamples(state);
    buffer.require(false);
    const std::vector<int64_t> batch =
        drawPrioritized(buffer.logWeights, options.batchSize, options.seed, (uint64_t)state.step);
    const std::vector<double> coordinates = selectRows(buffer.coordinates, batch, buffer.size());
    const std::vector<double> own = selectRows(buffer.coordinates, group.selectShare(batch), buffer.size());
    const std::vector<double> logQ = group.gather(trainable.evaluatePaths(state.parameters, own).logQ).values;
    std::vector<double> corrections;
    std::vector<int64_t> all;
    double sum = 0;
    for (size_t i = 0; i < batch.size(); i++) {
        all.push_back((int64_t)i);
        // Rounding may have taken it off the support.
        corrections.push_back(0);
        if (!std::isfinite(logQ[i]))
            continue;
        // The sample was drawn for p^2/q with an older q.
        corrections.back() = std::min(largestCorrection, std::exp(buffer.logQ[batch[i]] - logQ[i]));
        sum += corrections.back();
    }
    // What was drawn twice is changed once.
    for (size_t i = 0; i < batch.size(); i++) {
        const int64_t k = batch[i];
        if (!std::isfinite(logQ[i]))
            continue;
        buffer.logWeights[k] += buffer.logQ[k] - logQ[i];
        buffer.logQ[k] = logQ[i];
    }
    const Frames frames = makeFrames(coordinates, corrections);
    const double value = computeBatchLikelihood(trainable, state.parameters, frames, all,
                                                state.step * options.batchSize, group);
    return value * (double)batch.size() / sum - frames.logJacobian;
}

void BootstrapObjective::addSamples(TrainingState& state) const {
    SampleBuffer& buffer = state.buffer;
    if (buffer.stepSizes.size() != (size_t)options.annealingDensities)
        buffer.stepSizes.assign(options.annealingDensities, options.initialStepSize);
    const int count = buffer.size() > 0 ? options.batchSize
                                        : std::max(options.batchSize, options.bufferSize / initialFraction);
    CoordinateAnnealing::Samples samples =
        annealing.run(state.parameters, squared, count, options.seed,
                      firstKeptSample + (uint64_t)buffer.drawn, buffer.stepSizes);
    state.energyEvaluations += count * annealing.getEvaluationsPerSample();
    buffer.drawn += count;
    roundToSingle(samples.coordinates);
    for (int k = 0; k < count; k++)
        if (std::isfinite(samples.logWeights[k]))
            buffer.add(&samples.coordinates[k * buffer.numCoordinates], samples.logQ[k],
                       samples.logWeights[k], options.bufferSize);
    if (buffer.size() == 0)
        failWithoutEnergies(count);
    buffer.target = squared;
    buffer.firstStep = state.step;
}
