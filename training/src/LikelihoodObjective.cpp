#include "LikelihoodObjective.h"

#include <algorithm>
#include <limits>

#include <ATen/ATen.h>

#include "Provenance.h"
#include "TrainingState.h"

using namespace OpenMMFlow;
using at::Tensor;

static Tensor toTensor(const std::vector<double>& values, at::IntArrayRef shape, at::ScalarType type) {
    return at::from_blob(const_cast<double*>(values.data()), shape, at::kDouble).to(type, false, true);
}

/** A part of the data as tensors, which take the place of its arrays: these are gone afterwards. */
static Frames makeFrames(TrainingData::Part& part, at::ScalarType type) {
    const Frames frames = {
        toTensor(part.coordinates, {part.numFrames, (int64_t)part.coordinates.size() / part.numFrames}, type),
        toTensor(part.weights, {part.numFrames}, type), part.logJacobian};
    part.coordinates = {};
    part.weights = {};
    return frames;
}

LikelihoodObjective::LikelihoodObjective(const TrainableFlow& trainable, const FlowTrainerOptions& options,
                                         TrainingData& data)
    : trainable(trainable),
      options(options),
      data(data),
      training(makeFrames(data.training, trainable.getDataType())),
      validation(makeFrames(data.validation, trainable.getDataType())),
      order(data.training.numFrames, options.batchSize, options.seed) {}

std::map<std::string, std::string> LikelihoodObjective::getIdentity() const {
    return {{"data", data.hash}, {"choice of held-out blocks", describeHeldOutBlocks(data)}};
}

Objective::Facts LikelihoodObjective::describe() const {
    return describeData(data);
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

double LikelihoodObjective::computeGradient(Tensor& parameters, int64_t step) {
    return trainable.computeGradient(parameters, training, order.getBatch(step), step) - training.logJacobian;
}

double LikelihoodObjective::validate(TrainingState& state) const {
    return trainable.validate(state.average, validation) - validation.logJacobian;
}
