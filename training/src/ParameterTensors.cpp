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
