#include "LikelihoodObjective.h"

#include <algorithm>
#include <limits>

#include <ATen/ATen.h>

#include "BatchLikelihood.h"
#include "KernelOptions.h"
#include "PathDifferences.h"
#include "Provenance.h"
#include "TensorArrays.h"
#include "TrainingState.h"
#include "openmm/OpenMMException.h"
#include "openmm/reference/SimTKOpenMMRealType.h"

using namespace OpenMMFlow;
using at::Tensor;

/** A part of the data as tensors, which take the place of its arrays: these are gone afterwards. */
static Frames makeFrames(TrainingData::Part& part, at::ScalarType type) {
    const Frames frames = {asTensor(part.coordinates).view({part.numFrames, -1}).to(type, false, true),
                           asTensor(part.weights).to(type, false, true), part.logJacobian};
    part.coordinates = {};
    part.weights = {};
    return frames;
}

LikelihoodObjective::LikelihoodObjective(const TrainableFlow& trainable, const FlowTrainerOptions& options,
                                         TrainingData& data, const Target* target, const ProcessGroup& group)
    : trainable(trainable),
      options(options),
      data(data),
      training(makeFrames(data.training, trainable.getDataType())),
      validation(makeFrames(data.validation, trainable.getDataType())),
      order(data.training.numFrames, options.batchSize, options.seed),
      target(target),
      group(group) {
    if (!options.pathGradients)
        return;
    if (target == nullptr)
        throw OpenMM::OpenMMException(
            "Path gradients need a System and a temperature; call setTarget() first.");
    potential = std::make_unique<BatchedPotential>(target->getSystem(), getThreadProperties(options));
}

std::map<std::string, std::string> LikelihoodObjective::getIdentity() const {
    std::map<std::string, std::string> identity = {
        {"data", data.hash}, {"choice of held-out blocks", describeHeldOutBlocks(data)}};
    if (options.pathGradients)
        for (const auto& [name, value] : describePathGradients(options, *target))
            identity[name] = value;
    return identity;
}

Objective::Facts LikelihoodObjective::describe() const {
    Facts facts = describeData(data);
    if (options.pathGradients)
        for (const auto& fact : describePathGradients(options, *target))
            facts.push_back(fact);
    return facts;
}

int64_t LikelihoodObjective::countSteps() const {
    double maxSamples = (double)options.maxSamples;
    if (options.maxEpochs > 0)
        maxSamples = std::min(maxSamples, options.maxEpochs * (double)data.training.numFrames);
    return std::max<int64_t>(1, (int64_t)(maxSamples / options.batchSize));
}

double LikelihoodObjective::getTemperature(int64_t) const {
    return std::numeric_limits<double>::quiet_NaN();
}

double LikelihoodObjective::computeGradient(TrainingState& state) {
    const std::vector<int64_t> batch = order.getBatch(state.step);
    return options.pathGradients ? computePathGradient(state, batch)
                                 : computeBatchLikelihood(trainable, state.parameters, training, batch,
                                                          state.step * options.batchSize, group)
                                       - training.logJacobian;
}

double LikelihoodObjective::computePathGradient(TrainingState& state,
                                                const std::vector<int64_t>& batch) const {
    state.energyEvaluations += (int64_t)batch.size();
    const Tensor indices = at::tensor(group.selectShare(batch), at::kLong);
    const std::vector<double> weights = toVector(training.weights.index_select(0, indices));
    const PathSamples samples = trainable.evaluatePaths(
        state.parameters, toVector(training.coordinates.index_select(0, indices)), options.massBalancing > 0);
    const EnergyPaths energies = EnergyPaths::compute(trainable, samples.positions, *potential);
    PathDifferences differences(samples, {{}, BOLTZ * target->getTemperature(), energies, samples},
                                options.forceClipFactor, group);
    if (group.sum((double)differences.indices.size()) == 0)
        return state.leaveOut();
    return differences.computeForwardGradient(trainable, state.parameters, samples, weights,
                                              options.batchSize, options.massBalancing, group);
}

double LikelihoodObjective::validate(TrainingState& state) const {
    const auto [first, count] = group.getShare(validation.size());
    const Frames part = {validation.coordinates.narrow(0, first, count),
                         validation.weights.narrow(0, first, count)};
    const double fraction = (double)count / (double)validation.size();
    const double sum = count == 0 ? 0 : fraction * trainable.validate(state.average, part, first);
    return group.sum(sum) - validation.logJacobian;
}
