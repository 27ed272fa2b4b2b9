#ifndef OPENMMFLOW_AFFINECOMPOSITION_H_
#define OPENMMFLOW_AFFINECOMPOSITION_H_

#include <utility>

#include <ATen/core/Tensor.h>

#include "SplineComposition.h"

namespace OpenMMFlow {

/**
 * Affine functions or their inverses, composed of Torch operations: the scale is at least `minDerivative`,
 * and 1 for a logit of 0.
 *
 * @param values       (n, B): where to evaluate them
 * @param parameters   (2, n, B): logits of scales, and shifts
 * @return the values, and the logs of their derivatives, (n, B) each
 */
std::pair<at::Tensor, at::Tensor> evaluateAffine(SplineDirection direction, const at::Tensor& values,
                                                 const at::Tensor& parameters, double minDerivative);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_AFFINECOMPOSITION_H_*/
