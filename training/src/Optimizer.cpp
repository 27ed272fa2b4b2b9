#include "Optimizer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "GradientFilter.h"
#include "openmm/OpenMMException.h"

using namespace OpenMMFlow;
using at::Tensor;
using OpenMM::OpenMMException;

namespace {

const int maxSkippedInARow = 100;
/** In the objective, which is in nats and falls slowly when all is well, so much is far above: a flow that
 * breaks down proposes clashes, with energies of thousands of kT. */
const double farAbove = 20;
const int64_t maxHighInARow = 10, maxRelapses = 10;
/** In nats per frame held out, by which path gradients of data may be above their best. Where they drifted
 * away, that of a hexapeptide rose by nine within 250 steps. */
const double mostDrift = 1;
/** How fast what is usual follows the objective, per step. */
const double usualRate = 0.02;
const double epsilon = 1e-8;
/** How fast the averages of SOAP follow the gradient, per step, and how many steps its bases are kept. */
const double curvatureRate = 0.05;
const int64_t basisInterval = 10;

/** Adam on the parameters that are given, whose gradient is divided by a number first. */
void takeFusedStep(Tensor parameters, Tensor gradient, TrainingState& state, double learningRate,
                   double firstDecay, double secondDecay, double divisor) {
    Tensor count = at::full({}, (double)state.optimizerSteps, at::kFloat);
    Tensor scale = at::full({}, divisor, at::kFloat);
    std::vector<Tensor> weights{parameters}, gradients{gradient}, first{state.firstMoment},
        second{state.secondMoment}, none, counts{count};
    at::_fused_adam_(weights, gradients, first, second, none, counts, learningRate, firstDecay, secondDecay,
                     0.0, epsilon, false, false, scale, std::nullopt);
}

}  // namespace

Optimizer::Optimizer(const FlowTrainerOptions& options, const std::vector<LayerPlace>& layers,
                     int64_t totalSteps)
    : options(options),
      kronecker(options.optimizer == "soap" ? layers : std::vector<LayerPlace>()),
      totalSteps(totalSteps) {}

TrainingState Optimizer::begin(const Tensor& parameters) const {
    return TrainingState::begin(parameters, kronecker.getSize());
}

double Optimizer::getLearningRate(const TrainingState& state) const {
    const double cosine = 0.5 * (1 + std::cos(M_PI * state.getPosition() / (double)totalSteps));
    const double rate = std::lerp(options.finalLearningRate, options.learningRate, cosine);
    const double warmup = std::min(1.0, ((double)state.optimizerSteps + 1.0) / (options.warmupSteps + 1.0));
    return rate * std::lerp(options.initialLearningRate / options.learningRate, 1.0, warmup)
           * std::pow(0.5, (double)state.relapses);
}

void Optimizer::update(TrainingState& state) const {
    c10::NoGradGuard noGradient;
    const double learningRate = getLearningRate(state);
    const double norm = state.parameters.grad().norm().item<double>();
    const double divisor = GradientFilter(options).getDivisor(norm, state.gradientNorms);
    if (!std::isfinite(divisor)) {
        state.skippedSteps++;
        state.skippedInARow++;
        if (state.skippedInARow == maxSkippedInARow)
            throw OpenMMException("The gradient was not finite, or too large, in "
                                  + std::to_string(maxSkippedInARow)
                                  + " steps in a row; lower the learning rate or the largest gradient norm.");
        return;
    }
    state.skippedInARow = 0;
    state.optimizerSteps++;
    if (options.optimizer == "soap")
        takeSoapStep(state, learningRate, divisor);
    else
        takeAdamStep(state, learningRate, divisor);
    // At the beginning the average is short, so that it forgets the initial weights.
    double decay = std::min(options.averagingDecay, (1.0 + state.step) / (10.0 + state.step));
    state.average.lerp_(state.parameters, 1 - decay);
}

void Optimizer::takeAdamStep(TrainingState& state, double learningRate, double divisor) const {
    takeFusedStep(state.parameters, state.parameters.grad(), state, learningRate, 0.9, 0.999, divisor);
}

void Optimizer::takeSoapStep(TrainingState& state, double learningRate, double divisor) const {
    const Tensor gradient = state.parameters.grad() / divisor;
    if (state.optimizerSteps == 1) {
        state.curvature.zero_();
        kronecker.average(state.curvature, gradient, 1);
        kronecker.solve(state.bases, state.curvature);
    }
    Tensor change = at::zeros_like(gradient);
    // The second moment forgets faster than that of Adam, since it is of bases that change.
    takeFusedStep(change, kronecker.rotate(gradient, state.bases), state, learningRate, 0.95, 0.99, 1);
    state.parameters.add_(kronecker.rotateBack(change, state.bases));
    kronecker.average(state.curvature, gradient, curvatureRate);
    if (state.optimizerSteps % basisInterval == 0) {
        const Tensor moment = kronecker.rotateBack(state.firstMoment, state.bases);
        kronecker.refine(state.bases, state.curvature);
        state.firstMoment.copy_(kronecker.rotate(moment, state.bases));
    }
}

void Optimizer::guard(TrainingState& state, double objective) const {
    if (std::isfinite(objective) && std::isnan(state.usualObjective))
        state.usualObjective = objective;
    if (objective <= state.usualObjective + farAbove) {
        state.highInARow = 0;
        state.usualObjective = std::lerp(state.usualObjective, objective, usualRate);
        return;
    }
    if (++state.highInARow < maxHighInARow)
        return;
    goBack(state);
}

void Optimizer::limitDrift(TrainingState& state) const {
    if (std::isnan(state.bestValidationNLL) || state.validationNLL <= state.bestValidationNLL + mostDrift)
        return;
    goBack(state);
}

void Optimizer::goBack(TrainingState& state) const {
    if (++state.relapses > maxRelapses)
        throw OpenMMException("Training went wrong " + std::to_string(state.relapses)
                              + " times, with half of the learning rate each time; check that the System and the "
                                "flow belong together, or start with a lower learning rate.");
    c10::NoGradGuard noGradient;
    state.parameters.copy_(state.best);
    state.average.copy_(state.best);
    state.firstMoment.zero_();
    state.secondMoment.zero_();
    state.gradientNorms.clear();
    state.optimizerSteps = 0;
    state.highInARow = 0;
    state.validationsSinceBest = 0;
    state.usualObjective = std::numeric_limits<double>::quiet_NaN();
    state.buffer.clear();
}
