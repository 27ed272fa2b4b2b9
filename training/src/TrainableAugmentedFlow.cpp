#include "TrainableAugmentedFlow.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "KernelOptions.h"
#include "MarginalDensity.h"
#include "RandomOrientation.h"
#include "TensorArrays.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/FlowContext.h"
#include "openmmflow/internal/KernelProperties.h"

using namespace OpenMMFlow;
using at::Tensor;

namespace {

/** The draws of a of a step of training, which none of those for validation equals: these take indices of
 * frames, and those what is above them. */
const uint64_t firstTrainingDraw = uint64_t(1) << 62;

}  // namespace

TrainableAugmentedFlow::TrainableAugmentedFlow(const Flow& flow, const FlowTrainerOptions& options)
    : flow(flow),
      model(dynamic_cast<const CouplingModel&>(this->flow.getModel())),
      options(options),
      kernel(flow, getTrainingProperties(options)),
      parameterValues(model.getParameters().size()),
      gradient(model.getParameters().size()) {}

double TrainableAugmentedFlow::measure(const double* frame, std::vector<double>& coordinates,
                                       std::string&) const {
    const int N = model.getNumParticles();
    for (int i = 0; i < 3 * N; i++) {
        double sum = 0;
        for (int j = i % 3; j < 3 * N; j += 3)
            sum += frame[j];
        coordinates.push_back(frame[i] - sum / N);
    }
    return 0;
}

Tensor TrainableAugmentedFlow::getParameters() const {
    return at::tensor(model.getParameters()).to(options.precision == "double" ? at::kDouble : at::kFloat);
}

void TrainableAugmentedFlow::orient(double* frame, uint64_t draw) const {
    if (!model.isRotationInvariant())
        rotateAtRandom(frame, getNumParticles(), model.getParticles().dimensions, options.seed, draw);
}

std::shared_ptr<const FlowModel> TrainableAugmentedFlow::createModel(const Tensor& parameters) const {
    return model.withParameters(toVector(parameters));
}

double TrainableAugmentedFlow::validate(const Tensor& parameters, const Frames& frames, int64_t first) const {
    const std::vector<double> weights = toVector(frames.weights);
    std::vector<double> positions = toVector(frames.coordinates);
    for (size_t i = 0; i < weights.size(); i++)
        orient(&positions[i * getNumCoordinates()], first + i);
    FlowContext context(Flow(createModel(parameters)), *findCpuPlatform(), getKernelProperties(options));
    // One draw for each frame: an estimate of one draw is what the objective is the average of.
    const std::vector<double> logQ = context.computeLogDensity(positions, 1, options.seed, first);
    double sum = 0;
    for (size_t i = 0; i < weights.size(); i++)
        sum -= weights[i] * logQ[i];
    return sum / (double)weights.size();
}

double TrainableAugmentedFlow::computeGradient(Tensor& parameters, const Frames& frames,
                                               const std::vector<int64_t>& batch, int64_t first) const {
    const Tensor indices = at::tensor(batch, at::kLong);
    const std::vector<double> weights = toVector(frames.weights.index_select(0, indices));
    std::vector<double> positions = toVector(frames.coordinates.index_select(0, indices));
    const size_t count = batch.size(), size = 3 * model.getNumParticles(),
                 jointSize = size + 3 * model.getNumAugmentedParticles();
    std::vector<double> joint(count * jointSize), worth(count), logQ(count), penalty(count);
    for (size_t i = 0; i < count; i++) {
        const uint64_t draw = firstTrainingDraw + first + i;
        orient(&positions[i * size], draw);
        drawConditional(model, &positions[i * size], options.seed, draw, 0, &joint[i * jointSize]);
        worth[i] = -weights[i] / (double)count;
    }
    asTensor(parameterValues).copy_(parameters);
    kernel.get().setParameters(parameterValues);
    kernel.get().compute((long long)count, joint.data(), worth.data(),
                         options.frameLossWeight / (double)count, logQ.data(), penalty.data(),
                         gradient.data());
    setGradient(parameters, gradient);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += worth[i] * (logQ[i] - model.computeLogConditional(&joint[i * jointSize]));
    return sum;
}

void TrainableAugmentedFlow::failWithoutPaths() const {
    throw OpenMM::OpenMMException("Flows of the family \"" + flow.getFamily()
                                  + "\" are trained on data without path gradients only.");
}

PathSamples TrainableAugmentedFlow::samplePaths(const Tensor&, long long, uint64_t, uint64_t) const {
    failWithoutPaths();
}

PathSamples TrainableAugmentedFlow::evaluatePaths(const Tensor&, const std::vector<double>&, bool) const {
    failWithoutPaths();
}

std::vector<double> TrainableAugmentedFlow::toCoordinateGradient(const double*, const double*) const {
    failWithoutPaths();
}

double TrainableAugmentedFlow::computeLogVolume(const double*, double*) const {
    failWithoutPaths();
}

void TrainableAugmentedFlow::computePathGradient(Tensor&, const std::vector<double>&,
                                                 const std::vector<double>&) const {
    failWithoutPaths();
}

void TrainableAugmentedFlow::computeBalancedPathGradient(Tensor&, const std::vector<double>&,
                                                         const std::vector<double>&,
                                                         const std::vector<double>&,
                                                         const std::vector<double>&) const {
    failWithoutPaths();
}
