#ifndef OPENMMFLOW_PARAMETERTENSORS_H_
#define OPENMMFLOW_PARAMETERTENSORS_H_

#include <map>
#include <vector>

#include <ATen/core/Tensor.h>

#include "openmmflow/internal/ParameterLayout.h"

namespace OpenMMFlow {

/**
 * The tensors of a ParameterLayout as views of one flat tensor. They are made by one split, whose derivative
 * is one concatenation: that of a slice is as large as all parameters.
 */
class ParameterTensors {
public:
    /** @param parameters   (P): as the layout describes them */
    ParameterTensors(const ParameterLayout& layout, const at::Tensor& parameters);
    /** Get the tensor that stands at a place, flat. */
    const at::Tensor& at(size_t place) const { return tensors.at(place); }
    /** Apply a dense layer to x (..., inputs): (..., outputs). */
    at::Tensor apply(const LayerPlace& layer, const at::Tensor& x) const;
    /** Apply a residual network of two layers. */
    at::Tensor apply(const ResidualPlace& network, const at::Tensor& x) const;
    /** The same from what its first layer gives. */
    at::Tensor finishResidual(const LayerPlace& second, const at::Tensor& argument) const;

private:
    std::map<size_t, at::Tensor> tensors;
};

/** The parameters of a model from those of a module. */
std::vector<double> toParameters(const at::Tensor& parameters);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_PARAMETERTENSORS_H_*/
