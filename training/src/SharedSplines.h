#ifndef OPENMMFLOW_SHAREDSPLINES_H_
#define OPENMMFLOW_SHAREDSPLINES_H_

#include <utility>

#include <ATen/core/Tensor.h>

#include "SplineLayout.h"

namespace OpenMMFlow {

/**
 * The same function as invertSplines, by the maths that the platforms share (with its own derivative), with
 * one sample in each SIMD lane.
 *
 * @param y            (n, B), where B is a multiple of SPLINE_BATCH_MULTIPLE
 * @param parameters   (SplineLayout::numParameters(), B)
 */
std::pair<at::Tensor, at::Tensor> invertSharedSplines(const at::Tensor& y, const at::Tensor& parameters,
                                                      const SplineLayout& layout);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_SHAREDSPLINES_H_*/
