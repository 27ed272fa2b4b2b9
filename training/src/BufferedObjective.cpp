#include "BufferedObjective.h"

#include <limits>

#include <ATen/ATen.h>

#include "TrainingState.h"

using namespace OpenMMFlow;

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
