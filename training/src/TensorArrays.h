#ifndef OPENMMFLOW_TENSORARRAYS_H_
#define OPENMMFLOW_TENSORARRAYS_H_

#include <vector>

#include <ATen/ATen.h>

namespace OpenMMFlow {

/** Numbers as a tensor, without a copy. */
inline at::Tensor asTensor(std::vector<double>& values) {
    return at::from_blob(values.data(), {(int64_t)values.size()}, at::kDouble);
}

/** Set the gradient of the parameters. */
inline void setGradient(at::Tensor& parameters, std::vector<double>& gradient) {
    if (!parameters.grad().defined())
        parameters.mutable_grad() = at::empty_like(parameters);
    parameters.mutable_grad().copy_(asTensor(gradient));
}

/** The numbers of a tensor. */
inline std::vector<double> toVector(const at::Tensor& tensor) {
    const at::Tensor flat = tensor.detach().to(at::kCPU, at::kDouble).contiguous();
    const double* values = flat.data_ptr<double>();
    return std::vector<double>(values, values + flat.numel());
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TENSORARRAYS_H_*/
