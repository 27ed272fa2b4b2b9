#include "ParameterTensors.h"

#include <ATen/ATen.h>

using namespace OpenMMFlow;
using at::Tensor;

ParameterTensors::ParameterTensors(const ParameterLayout& layout, const Tensor& parameters) {
    size_t place = 0;
    for (const Tensor& tensor : parameters.split_with_sizes(layout.getSizes())) {
        tensors.emplace(place, tensor);
        place += tensor.numel();
    }
}

Tensor ParameterTensors::apply(const LayerPlace& layer, const Tensor& x) const {
    const Tensor weight = at(layer.weight).view({layer.outputs, layer.inputs});
    return at::linear(x, weight, layer.hasBias ? at(layer.bias) : Tensor());
}

Tensor ParameterTensors::apply(const ResidualPlace& network, const Tensor& x) const {
    return finishResidual(network.second, apply(network.first, x));
}

Tensor ParameterTensors::finishResidual(const LayerPlace& second, const Tensor& argument) const {
    const Tensor y = at::silu(argument);
    return y + at::silu(apply(second, at::layer_norm(y, {y.size(-1)})));
}

std::vector<double> OpenMMFlow::toParameters(const Tensor& parameters) {
    const Tensor flat = parameters.detach().to(at::kCPU, at::kDouble).contiguous();
    const double* values = flat.data_ptr<double>();
    return {values, values + flat.numel()};
}
