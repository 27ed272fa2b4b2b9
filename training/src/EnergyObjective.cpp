#include "EnergyObjective.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/ATen.h>

#include "BootstrapObjective.h"
#include "KernelOptions.h"
#include "Median.h"
#include "PathDifferences.h"
#include "PathGradientObjective.h"
#include "Provenance.h"
#include "StagedObjective.h"
#include "TrainingState.h"
#include "TruncatedWeights.h"
#include "openmm/OpenMMException.h"
#include "openmm/reference/SimTKOpenMMRealType.h"

using namespace OpenMMFlow;
using at::Tensor;

namespace {

/** The samples of steps of training, which none of those of estimates equals. */
const uint64_t firstTrainingSample = uint64_t(1) << 62;

}  // namespace

std::unique_ptr<EnergyObjective> EnergyObjective::create(const TrainableFlow& trainable,
                                                         const FlowTrainerOptions& options,
                                                         const Target& target) {
    if (options.objective == "bootstrap")
        return std::make_unique<BootstrapObjective>(trainable, options, target);
    if (options.objective == "path-gradient")
        return std::make_unique<PathGradientObjective>(trainable, options, target);
    return std::make_unique<StagedObjective>(trainable, options, target);
}

EnergyObjective::EnergyObjective(const TrainableFlow& trainable, const FlowTrainerOptions& options,
                                 const Target& target)
    : trainable(trainable),
      options(options),
      target(target),
      schedule(options, target.getTemperature()),
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

double EnergyObjective::getKT() const {
    return BOLTZ * target.getTemperature();
}

void EnergyObjective::failWithoutEnergies(long long count) {
    throw OpenMM::OpenMMException(
        "None of " + std::to_string(count)
        + " proposals of the flow has a finite energy; check that the System and the positions that the "
          "flow was made from belong together.");
}

double EnergyObjective::computePathGradient(TrainingState& state,
                                            const IntermediateTarget& intermediate) const {
    Tensor& parameters = state.parameters;
    const PathSamples samples =
        trainable.samplePaths(parameters, options.batchSize, options.seed,
                              firstTrainingSample + (uint64_t)state.step * options.batchSize);
    const EnergyPaths energies = EnergyPaths::compute(trainable, samples.positions, *potential);
    state.energyEvaluations += options.batchSize;
    const PathSamples flow = intermediate.flowExponent == 0
                                 ? PathSamples()
                                 : trainable.evaluatePaths(state.buffer.proposal, samples.coordinates);
    PathDifferences differences(samples, {intermediate, getKT(), energies, flow}, options.forceClipFactor);
    if (differences.logWeights.empty() && state.step > 0) {
        // The optimiser leaves this out, and goes back if it happens again and again.
        parameters.mutable_grad() = at::full_like(parameters, NAN);
        return INFINITY;
    }
    if (differences.logWeights.empty())
        failWithoutEnergies(options.batchSize);
    std::vector<double> weights = computeTruncatedWeights(differences.logWeights);
    Tensor balance;
    if (options.massBalancing > 0)
        balance = computeBalance(parameters, differences.coordinates, weights, state.step);
    for (double& weight : weights)
        weight = std::lerp(1.0, weight, options.massCovering) / (double)weights.size();
    differences.weight(weights);
    trainable.computePathGradient(parameters, differences.coordinates, differences.gradient);
    if (balance.defined())
        parameters.mutable_grad().add_(balance);
    // A few clashes would dominate the average.
    return -getMedian(differences.logWeights);
}

Tensor EnergyObjective::computeBalance(Tensor& parameters, const std::vector<double>& coordinates,
                                       const std::vector<double>& weights, int64_t step) const {
    const int64_t count = (int64_t)weights.size();
    std::vector<int64_t> all(count);
    std::iota(all.begin(), all.end(), 0);
    // The average of the gradient of log q is zero, so that this is a control variate.
    const Tensor worth = at::tensor(weights, at::kDouble);
    const Frames frames{at::tensor(coordinates, at::kDouble).view({count, -1}).to(trainable.getDataType()),
                        (options.massBalancing * (worth - worth.mean())).to(trainable.getDataType())};
    trainable.computeGradient(parameters, frames, all, step);
    return parameters.grad().clone();
}

bool EnergyObjective::isReached(const TrainingState& state) const {
    const double wanted = options.targetEffectiveSampleFraction;
    return wanted > 0 && getTemperature(state.step) <= target.getTemperature()
           && state.target.effectiveSampleFraction >= wanted;
}

double EnergyObjective::validate(TrainingState& state) const {
    state.target = target.estimate(Flow(trainable.createModel(state.average)), state.step);
    state.energyEvaluations += options.targetSamples;
    return state.target.reverseDivergence;
}
