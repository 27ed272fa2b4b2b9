#include "TrainableInternalFlow.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "CoordinateSamples.h"
#include "KernelOptions.h"
#include "TensorArrays.h"

using namespace OpenMMFlow;
using at::Tensor;

TrainableInternalFlow::TrainableInternalFlow(const Flow& flow, const FlowTrainerOptions& options)
    : flow(flow),
      model(dynamic_cast<const InternalFlowModel&>(this->flow.getModel())),
      type(options.precision == "double" ? at::kDouble : at::kFloat),
      kernel(flow, getTrainingProperties(options)),
      parameterValues(model.getParameters().size()),
      gradient(parameterValues.size()) {}

double TrainableInternalFlow::measure(const double* frame, std::vector<double>& coordinates,
                                      std::string& violation) const {
    const InternalCoordinates& internal = model.getCoordinates();
    const int D = internal.getNumCoordinates();
    const std::vector<double> values = internal.measure(frame);
    if (!internal.isInSupport(values)) {
        violation = internal.describeViolation(frame);
        return 0;
    }
    for (int j = 0; j < D; j++)
        coordinates.push_back(internal.circular[j] ? values[j]
                                                   : (values[j] - internal.center[j]) / internal.scale[j]);
    std::vector<double> gradient(D);
    return -computeLogVolume(&coordinates[coordinates.size() - D], gradient.data());
}

Tensor TrainableInternalFlow::getParameters() const {
    return at::tensor(model.getParameters()).to(type);
}

std::vector<LayerPlace> TrainableInternalFlow::getLayers() const {
    std::vector<LayerPlace> layers;
    for (const InternalFlowModel::CouplingPlace& coupling : model.getPlaces()) {
        layers.push_back(coupling.input);
        for (const auto& [first, second] : coupling.blocks) {
            layers.push_back(first);
            layers.push_back(second);
        }
        layers.push_back(coupling.output);
    }
    return layers;
}

std::shared_ptr<const FlowModel> TrainableInternalFlow::createModel(const Tensor& parameters) const {
    return model.withParameters(toVector(parameters));
}

CoordinateTrainingKernel& TrainableInternalFlow::getKernel(const Tensor& parameters) const {
    const Tensor given = parameters.detach();
    // A step on own samples asks twice.
    if (current.defined() && at::equal(current, given))
        return kernel.get();
    asTensor(parameterValues).copy_(given);
    kernel.get().setParameters(parameterValues);
    if (!current.defined())
        current = at::empty_like(given);
    current.copy_(given);
    return kernel.get();
}

double TrainableInternalFlow::validate(const Tensor& parameters, const Frames& frames, int64_t) const {
    CoordinateTrainingKernel& kernel = getKernel(parameters);
    const int64_t count = frames.size(), block = 16384;
    double sum = 0;
    for (int64_t start = 0; start < count; start += block) {
        const int64_t size = std::min(block, count - start);
        const std::vector<double> coordinates = toVector(frames.coordinates.narrow(0, start, size)),
                                  weights = toVector(frames.weights.narrow(0, start, size));
        std::vector<double> logQ(size);
        kernel.computeLogDensity(size, coordinates.data(), logQ.data());
        for (int64_t k = 0; k < size; k++)
            sum -= weights[k] * logQ[k];
    }
    return sum / (double)count;
}

double TrainableInternalFlow::computeGradient(Tensor& parameters, const Frames& frames,
                                              const std::vector<int64_t>& batch, int64_t) const {
    const Tensor indices = at::tensor(batch, at::kLong);
    const std::vector<double> coordinates = toVector(frames.coordinates.index_select(0, indices)),
                              weights = toVector(frames.weights.index_select(0, indices));
    const size_t count = batch.size();
    std::vector<double> worth, logQ(count);
    for (double weight : weights)
        worth.push_back(-weight / (double)count);
    getKernel(parameters)
        .computeLikelihoodGradient((long long)count, coordinates.data(), worth.data(), logQ.data(),
                                   gradient.data());
    setGradient(parameters, gradient);
    double sum = 0;
    for (size_t k = 0; k < count; k++)
        sum += worth[k] * logQ[k];
    return sum;
}

PathSamples TrainableInternalFlow::samplePaths(const Tensor& parameters, long long count, uint64_t seed,
                                               uint64_t first) const {
    const size_t D = getNumCoordinates();
    PathSamples samples{std::vector<double>(3 * getNumParticles() * count), std::vector<double>(D * count),
                        std::vector<double>(count), std::vector<double>(D * count),
                        std::vector<double>(model.getCouplings().size() * D * count)};
    getKernel(parameters)
        .sample(count, seed, first, samples.positions.data(), samples.coordinates.data(), samples.logQ.data(),
                samples.gradient.data(), samples.adjoints.data());
    return samples;
}

PathSamples TrainableInternalFlow::evaluatePaths(const Tensor& parameters,
                                                 const std::vector<double>& coordinates,
                                                 bool forBalance) const {
    const size_t D = getNumCoordinates(), count = coordinates.size() / D;
    PathSamples samples{std::vector<double>(3 * getNumParticles() * count), coordinates,
                        std::vector<double>(count), std::vector<double>(D * count),
                        std::vector<double>(forBalance ? model.getCouplings().size() * D * count : 0)};
    getKernel(parameters)
        .evaluate((long long)count, coordinates.data(), samples.positions.data(), samples.logQ.data(),
                  samples.gradient.data(), forBalance ? samples.adjoints.data() : nullptr);
    return samples;
}

std::vector<double> TrainableInternalFlow::toCoordinateGradient(const double* positions,
                                                                const double* byPositions) const {
    const InternalCoordinates& internal = model.getCoordinates();
    const size_t size = 3 * getNumParticles();
    std::vector<double> result =
        internal.toCoordinateGradient({positions, positions + size}, {byPositions, byPositions + size});
    for (size_t j = 0; j < result.size(); j++)
        if (!internal.circular[j])
            result[j] *= internal.scale[j];
    return result;
}

double TrainableInternalFlow::computeLogVolume(const double* coordinates, double* gradient) const {
    return computeCoordinateVolume(model, coordinates, gradient);
}

void TrainableInternalFlow::computePathGradient(Tensor& parameters, const std::vector<double>& coordinates,
                                                const std::vector<double>& difference) const {
    getKernel(parameters)
        .computePathGradient((long long)(coordinates.size() / getNumCoordinates()), coordinates.data(),
                             difference.data(), gradient.data());
    setGradient(parameters, gradient);
}

void TrainableInternalFlow::computeBalancedPathGradient(Tensor& parameters,
                                                        const std::vector<double>& coordinates,
                                                        const std::vector<double>& difference,
                                                        const std::vector<double>& adjoints,
                                                        const std::vector<double>& worth) const {
    getKernel(parameters)
        .computeBalancedPathGradient((long long)worth.size(), coordinates.data(), difference.data(),
                                     adjoints.data(), worth.data(), gradient.data());
    setGradient(parameters, gradient);
}
