#include "TrainableAugmentedFlow.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "MarginalDensity.h"
#include "openmmflow/FlowContext.h"
#include "openmmflow/internal/KernelProperties.h"

using namespace OpenMMFlow;
using at::Tensor;

namespace {

/** The draws of a of a step of training, which none of those for validation equals: these take indices of
 * frames, and those what is above them. */
const uint64_t firstTrainingDraw = uint64_t(1) << 62;

/** A vector as a tensor, without a copy. */
Tensor asTensor(std::vector<double>& values) {
    return at::from_blob(values.data(), {(int64_t)values.size()}, at::kDouble);
}

std::vector<double> toVector(const Tensor& tensor) {
    const Tensor flat = tensor.detach().to(at::kCPU, at::kDouble).contiguous();
    const double* values = flat.data_ptr<double>();
    return std::vector<double>(values, values + flat.numel());
}

}  // namespace

TrainableAugmentedFlow::TrainableAugmentedFlow(const Flow& flow, const EquivariantCouplingModel& model,
                                               const FlowTrainerOptions& options)
    : model(std::make_shared<EquivariantCouplingModel>(model)),
      options(options),
      kernel(flow, getProperties()),
      parameterValues(model.getParameters().size()),
      gradient(model.getParameters().size()) {}

std::map<std::string, std::string> TrainableAugmentedFlow::getProperties() const {
    std::map<std::string, std::string> properties = {{"Precision", options.precision}};
    if (options.threads > 0)
        properties["Threads"] = std::to_string(options.threads);
    return properties;
}

double TrainableAugmentedFlow::measure(const double* frame, std::vector<double>& coordinates,
                                       std::string&) const {
    const int N = model->getNumParticles();
    for (int i = 0; i < 3 * N; i++) {
        double sum = 0;
        for (int j = i % 3; j < 3 * N; j += 3)
            sum += frame[j];
        coordinates.push_back(frame[i] - sum / N);
    }
    return 0;
}

Tensor TrainableAugmentedFlow::getParameters() const {
    return at::tensor(model->getParameters()).to(options.precision == "double" ? at::kDouble : at::kFloat);
}

std::shared_ptr<const EquivariantCouplingModel> TrainableAugmentedFlow::createOwnModel(
    const Tensor& parameters) const {
    return std::make_shared<EquivariantCouplingModel>(model->getParticles(), model->getBase(),
                                                      model->getOptions(), toVector(parameters));
}

std::shared_ptr<const FlowModel> TrainableAugmentedFlow::createModel(const Tensor& parameters) const {
    return createOwnModel(parameters);
}

double TrainableAugmentedFlow::validate(const Tensor& parameters, const Frames& frames) const {
    const std::vector<double> weights = toVector(frames.weights), positions = toVector(frames.coordinates);
    FlowContext context(Flow(createOwnModel(parameters)), *findCpuPlatform(), getProperties());
    // One draw for each frame: an estimate of one draw is what the objective is the average of.
    const std::vector<double> logQ = context.computeLogDensity(positions, 1, options.seed);
    double sum = 0;
    for (size_t i = 0; i < weights.size(); i++)
        sum -= weights[i] * logQ[i];
    return sum / (double)weights.size();
}

double TrainableAugmentedFlow::computeGradient(Tensor& parameters, const Frames& frames,
                                               const std::vector<int64_t>& batch, int64_t step) const {
    const Tensor indices = at::tensor(batch, at::kLong);
    const std::vector<double> weights = toVector(frames.weights.index_select(0, indices)),
                              positions = toVector(frames.coordinates.index_select(0, indices));
    const size_t count = batch.size(), size = 3 * model->getNumParticles(),
                 jointSize = size + 3 * model->getNumAugmentedParticles();
    std::vector<double> joint(count * jointSize), worth(count), logQ(count), penalty(count);
    for (size_t i = 0; i < count; i++) {
        drawConditional(*model, &positions[i * size], options.seed, firstTrainingDraw + step * count + i, 0,
                        &joint[i * jointSize]);
        worth[i] = -weights[i] / (double)count;
    }
    asTensor(parameterValues).copy_(parameters);
    kernel.get().setParameters(parameterValues);
    kernel.get().compute((long long)count, joint.data(), worth.data(),
                         options.frameLossWeight / (double)count, logQ.data(), penalty.data(),
                         gradient.data());
    if (!parameters.grad().defined())
        parameters.mutable_grad() = at::empty_like(parameters);
    parameters.mutable_grad().copy_(asTensor(gradient));
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += worth[i] * (logQ[i] - model->computeLogConditional(&joint[i * jointSize]));
    return sum;
}
