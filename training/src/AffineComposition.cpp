#include "AffineComposition.h"

#include <ATen/ATen.h>

#include "shared/SplineOffset.h"

using namespace OpenMMFlow;
using at::Tensor;

std::pair<Tensor, Tensor> OpenMMFlow::evaluateAffine(SplineDirection direction, const Tensor& values,
                                                     const Tensor& parameters, double minDerivative) {
    const Tensor logits = parameters.select(0, 0), shifts = parameters.select(0, 1);
    const Tensor scales =
        minDerivative + at::softplus(logits + getSplineDerivativeOffset(minDerivative), 1, 40);
    const Tensor logScales = at::log(scales);
    if (direction == SplineDirection::Forward)
        return {values * scales + shifts, logScales};
    return {(values - shifts) / scales, -logScales};
}
