#ifndef OPENMMFLOW_SPLINECOMPOSITION_H_
#define OPENMMFLOW_SPLINECOMPOSITION_H_

#include <utility>

#include <ATen/core/Tensor.h>

#include "SplineLayout.h"

namespace OpenMMFlow {

/**
 * The inverses of a coupling's splines, composed of Torch operations: equations 6 to 8 of Durkan et al. 2019
 * (arXiv 1906.04032), with the circular variant of Rezende et al. 2020 (arXiv 2002.02428).
 *
 * @param y            (n, B): the values to invert
 * @param parameters   (SplineLayout::numParameters(), B): unconstrained
 * @return x (n, B) with spline(x) = y, and the sum over coordinates of log dx/dy (B)
 */
std::pair<at::Tensor, at::Tensor> invertSplines(const at::Tensor& y, const at::Tensor& parameters,
                                                const SplineLayout& layout);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_SPLINECOMPOSITION_H_*/
