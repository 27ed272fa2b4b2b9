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
#include "TemperedWeights.h"
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
                                                         const Target& target, const ProcessGroup& group) {
    if (options.objective == "bootstrap")
        return std::make_unique<BootstrapObjective>(trainable, options, target, group);
    if (options.objective == "path-gradient")
        return std::make_unique<PathGradientObjective>(trainable, options, target, group);
    return std::make_unique<StagedObjective>(trainable, options, target, group);
}

EnergyObjective::EnergyObjective(const TrainableFlow& trainable, const FlowTrainerOptions& options,
                                 const Target& target, const ProcessGroup& group)
    : trainable(trainable),
      options(options),
      target(target),
      group(group),
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
    const auto [first, count] = group.getShare(options.batchSize);
    const PathSamples samples = trainable.samplePaths(
        parameters, count, options.seed,
        firstTrainingSample + (uint64_t)state.step * options.batchSize + (uint64_t)first);
    const EnergyPaths energies = EnergyPaths::compute(trainable, samples.positions, *potential);
    state.energyEvaluations += options.batchSize;
    const PathSamples flow = intermediate.flowExponent == 0
                                 ? PathSamples()
                                 : trainable.evaluatePaths(state.buffer.proposal, samples.coordinates);
    PathDifferences differences(samples, {intermediate, getKT(), energies, flow}, options.forceClipFactor,
                                group);
    const ProcessGroup::Gathered all = group.gather(differences.logWeights);
    if (all.values.empty() && state.step > 0)
        return state.leaveOut();
    if (all.values.empty())
        failWithoutEnergies(options.batchSize);
    std::vector<double> weights =
        computeTruncatedWeights(temperWeights(all.values, options.minEffectiveFraction));
    const std::vector<double> balance = computeBalance(weights);
    for (double& weight : weights)
        weight = std::lerp(1.0, weight, options.massCovering) / (double)weights.size();
    differences.weight(all.getOwn(weights));
    differences.computeGradient(trainable, parameters,
                                options.massBalancing > 0 ? all.getOwn(balance) : std::vector<double>());
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
    return wanted > 0 && getTemperature((int64_t)state.getPosition()) <= target.getTemperature()
           && state.target.effectiveSampleFraction >= wanted;
}

double EnergyObjective::validate(TrainingState& state) const {
    state.target = target.estimate(Flow(trainable.createModel(state.average)), state.step, group);
    state.energyEvaluations += options.targetSamples;
    return state.target.reverseDivergence;
}
