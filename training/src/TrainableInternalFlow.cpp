#include "TrainableInternalFlow.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

using namespace OpenMMFlow;
using at::Tensor;

TrainableInternalFlow::TrainableInternalFlow(const InternalFlowModel& model, at::ScalarType type)
    : model(std::make_shared<InternalFlowModel>(model)),
      type(type),
      module(this->model, type, InternalFlowModule::Splines::Shared) {}

double TrainableInternalFlow::measure(const double* frame, std::vector<double>& coordinates,
                                      std::string& violation) const {
    const InternalCoordinates& internal = model->getCoordinates();
    const int N = internal.getNumParticles(), D = internal.getNumCoordinates();
    const std::vector<double> values = internal.measure(frame);
    if (!internal.isInSupport(values)) {
        violation = internal.describeViolation(frame);
        return 0;
    }
    for (int j = 0; j < D; j++)
        coordinates.push_back(internal.circular[j] ? values[j]
                                                   : (values[j] - internal.center[j]) / internal.scale[j]);
    double logJacobian = 0;
    for (int j = 0; j < N - 1; j++)
        logJacobian -= 2 * std::log(values[j]);
    for (int j = N - 1; j < 2 * N - 3; j++)
        logJacobian -= std::log(std::sin(values[j]));
    return logJacobian + model->getLogDensityConstant();
}

/** (D, batch) of (batch, D). */
static Tensor arrange(const Tensor& coordinates) {
    return coordinates.t().contiguous();
}

double TrainableInternalFlow::validate(const Tensor& parameters, const Frames& frames) const {
    c10::NoGradGuard noGradient;
    const int64_t count = frames.size(), block = 2048;
    double sum = 0;
    for (int64_t start = 0; start < count; start += block) {
        const int64_t size = std::min(block, count - start);
        const Tensor logQ = module.logDensity(parameters, arrange(frames.coordinates.narrow(0, start, size)));
        sum += (logQ * frames.weights.narrow(0, start, size)).sum(at::kDouble).item<double>();
    }
    return -sum / (double)count;
}

double TrainableInternalFlow::computeGradient(Tensor& parameters, const Frames& frames,
                                              const std::vector<int64_t>& batch, int64_t) const {
    const Tensor indices = at::tensor(batch, at::kLong);
    parameters.set_requires_grad(true);
    parameters.mutable_grad().reset();
    const Tensor logQ = module.logDensity(parameters, arrange(frames.coordinates.index_select(0, indices)));
    const Tensor loss = -(logQ * frames.weights.index_select(0, indices)).mean();
    loss.backward();
    return loss.item<double>();
}
