#include "EnergyObjective.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/ATen.h>

#include "KernelOptions.h"
#include "Median.h"
#include "PathDifferences.h"
#include "Provenance.h"
#include "TrainingState.h"
#include "openmm/OpenMMException.h"
#include "openmm/reference/SimTKOpenMMRealType.h"

using namespace OpenMMFlow;
using at::Tensor;

namespace {

/** The samples of steps of training, which none of those of estimates equals. */
const uint64_t firstTrainingSample = uint64_t(1) << 62;

/**
 * The importance weight of each sample in the forward divergence, 1 on average before the largest are
 * truncated (Ionides 2008): a batch is too small to know what is larger than the root of its size.
 */
std::vector<double> computeWeights(const std::vector<double>& logWeights) {
    double largest = -INFINITY;
    for (double logWeight : logWeights)
        largest = std::max(largest, logWeight);
    std::vector<double> weights;
    double sum = 0;
    for (double logWeight : logWeights) {
        weights.push_back(std::exp(logWeight - largest));
        sum += weights.back();
    }
    const double count = (double)weights.size();
    for (double& weight : weights)
        weight = std::min(weight * count / sum, std::sqrt(count));
    return weights;
}

}  // namespace

EnergyObjective::EnergyObjective(const TrainableFlow& trainable, const FlowTrainerOptions& options,
                                 const Target& target, const ProcessGroup& group)
    : trainable(trainable),
      options(options),
      target(target),
      group(group),
      potential(std::make_unique<BatchedPotential>(target.getSystem(), getThreadProperties(options))) {}

std::map<std::string, std::string> EnergyObjective::getIdentity() const {
    const Facts facts = describe();
    std::map<std::string, std::string> identity(facts.begin(), facts.end());
    // When a run ends changes nothing before.
    identity.erase("target_effective_sample_fraction");
    return identity;
}

Objective::Facts EnergyObjective::describe() const {
    return describeEnergyTraining(options, target);
}

int64_t EnergyObjective::countSteps() const {
    return std::max<int64_t>(1, options.maxSamples / options.batchSize);
}

double EnergyObjective::getTemperature(int64_t step) const {
    const double end = options.annealingFraction * (double)countSteps();
    const double left = end > 0 ? std::max(0.0, 1 - (double)step / end) : 0;
    const double start = std::max(options.initialTemperature, target.getTemperature());
    return target.getTemperature() * std::pow(start / target.getTemperature(), left);
}

double EnergyObjective::computeGradient(Tensor& parameters, int64_t step) {
    const double kT = BOLTZ * getTemperature(step);
    const auto [first, count] = group.getShare(options.batchSize);
    const PathSamples samples = trainable.samplePaths(
        parameters, count, options.seed, firstTrainingSample + (uint64_t)step * options.batchSize + first);
    PathDifferences differences(trainable, samples, *potential, kT, options.forceClipFactor, group);
    const ProcessGroup::Gathered all = group.gather(differences.logWeights);
    if (all.values.empty() && step > 0) {
        // The optimiser leaves this out, and goes back if it happens again and again.
        parameters.mutable_grad() = at::full_like(parameters, NAN);
        return INFINITY;
    }
    if (all.values.empty())
        throw OpenMM::OpenMMException(
            "None of " + std::to_string(options.batchSize)
            + " proposals of the flow has a finite energy; check that the System and the positions that the "
              "flow was made from belong together.");
    std::vector<double> weights = computeWeights(all.values);
    const std::vector<double> balance = computeBalance(weights);
    for (double& weight : weights)
        weight = std::lerp(1.0, weight, options.massCovering) / (double)weights.size();
    differences.weight(all.getOwn(weights));
    if (options.massBalancing > 0)
        trainable.computeBalancedPathGradient(parameters, differences.coordinates, differences.gradient,
                                              differences.adjoints, all.getOwn(balance));
    else
        trainable.computePathGradient(parameters, differences.coordinates, differences.gradient);
    // A few clashes would dominate the average.
    return -getMedian(all.values);
}

std::vector<double> EnergyObjective::computeBalance(const std::vector<double>& weights) const {
    const double count = (double)weights.size();
    // The average of the gradient of log q is zero, so that this is a control variate.
    const double average = std::accumulate(weights.begin(), weights.end(), 0.0) / count;
    std::vector<double> worth;
    for (double weight : weights)
        worth.push_back(options.massBalancing * (average - weight) / count);
    return worth;
}

bool EnergyObjective::isReached(const TrainingState& state) const {
    const double wanted = options.targetEffectiveSampleFraction;
    return wanted > 0 && (double)state.step >= options.annealingFraction * (double)countSteps()
           && state.target.effectiveSampleFraction >= wanted;
}

double EnergyObjective::validate(TrainingState& state) const {
    state.target = target.estimate(Flow(trainable.createModel(state.average)), state.step, group);
    state.energyEvaluations += options.targetSamples;
    return state.target.reverseDivergence;
}
