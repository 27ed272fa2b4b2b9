#include "BufferedObjective.h"

#include <limits>

#include <ATen/ATen.h>

#include "TrainingState.h"

using namespace OpenMMFlow;

Frames BufferedObjective::makeFrames(const std::vector<double>& coordinates,
                                     const std::vector<double>& weights) const {
    const size_t count = weights.size(), D = coordinates.size() / count;
    std::vector<double> gradient(D);
    double logVolume = 0, sum = 0;
    for (size_t k = 0; k < count; k++) {
        // What does not count may be off the support.
        if (weights[k] == 0)
            continue;
        sum += weights[k];
        logVolume += weights[k] * trainable.computeLogVolume(&coordinates[k * D], gradient.data());
    }
    return {at::tensor(coordinates, at::kDouble).view({(int64_t)count, -1}).to(trainable.getDataType()),
            at::tensor(weights, at::kDouble).to(trainable.getDataType()), -logVolume / sum};
}

double BufferedObjective::computeGradient(TrainingState& state) {
    if (isPretraining(state.step))
        return computePathGradient(state, getAnnealedTarget(state.step));
    // The likelihood and what path gradients make small cannot be compared.
    if (state.step == schedule.countPretrainingSteps())
        state.usualObjective = std::numeric_limits<double>::quiet_NaN();
    const double value = computeBufferGradient(state), share = options.pathGradientShare;
    if (share == 0)
        return value;
    const at::Tensor gradient = state.parameters.grad().clone();
    computePathGradient(state, getMixedTarget(state));
    state.parameters.mutable_grad().mul_(share).add_(gradient, 1 - share);
    return value;
}
