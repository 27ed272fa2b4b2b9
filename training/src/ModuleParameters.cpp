#include "ModuleParameters.h"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "TrainingDevice.h"
#include "openmm/OpenMMException.h"

using namespace OpenMMFlow;
using at::Tensor;

static Tensor toTensor(const double* values, int64_t rows, int64_t columns) {
    return at::from_blob(const_cast<double*>(values), {rows, columns}, at::kDouble);
}

ModuleParameters::ModuleParameters(const std::map<std::string, std::string>& properties)
    : options(at::TensorOptions(openTrainingDevice(properties.at("Device")))
                  .dtype(properties.at("Precision") == "double" ? at::kDouble : at::kFloat)) {}

void ModuleParameters::set(const std::vector<double>& values) {
    for (double value : values)
        if (!(std::abs(value) <= std::numeric_limits<float>::max()))
            throw OpenMM::OpenMMException(
                "A parameter of the flow is not a finite number in single precision.");
    parameters = load(values.data(), 1, (int64_t)values.size()).squeeze(0);
}

Tensor ModuleParameters::load(const double* values, int64_t rows, int64_t columns) const {
    // A copy even where nothing changes: who gave the array may change it.
    return toTensor(values, rows, columns).to(options, false, true);
}

void OpenMMFlow::storeTensor(const Tensor& tensor, double* values) {
    toTensor(values, 1, tensor.numel()).copy_(tensor.detach().reshape({1, -1}));
}

Tensor OpenMMFlow::differentiate(const Tensor& variable,
                                 const std::function<Tensor(const Tensor&)>& compute) {
    // Whoever calls may have switched this off.
    const c10::AutoGradMode differentiates(true);
    const Tensor own = variable.detach().requires_grad_();
    return torch::autograd::grad({compute(own)}, {own})[0];
}
