#include "SplineKernels.h"

#include "lanes/Lanes.h"
#include "shared/SplineOffset.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

static SplineShape makeShape(const SplineLayout& layout, bool circular) {
    SplineShape shape;
    shape.bins = layout.bins;
    shape.upper = circular ? M_PI : layout.tailBound;
    shape.lower = -shape.upper;
    shape.minBinFraction = layout.minBinFraction;
    shape.minDerivative = layout.minDerivative;
    shape.derivativeOffset = getSplineDerivativeOffset(layout.minDerivative);
    return shape;
}

static const Lanes* at(const Scalar* array, int64_t index) {
    return reinterpret_cast<const Lanes*>(array + index);
}

static Lanes* at(Scalar* array, int64_t index) {
    return reinterpret_cast<Lanes*>(array + index);
}

static void invert(const SplineArrays<Scalar>& arrays, int64_t first, int64_t last) {
    const int64_t n = arrays.layout.numCoordinates();
    const int stride = (int)(n * arrays.batch / LANES);
    for (int64_t j = first; j < last; j++) {
        const bool circular = j < arrays.layout.circular;
        const SplineShape shape = makeShape(arrays.layout, circular);
        for (int64_t i = j * arrays.batch; i < (j + 1) * arrays.batch; i += LANES) {
            const SplineResult x =
                splineInverse(*at(arrays.y, i), at(arrays.parameters, i), stride, shape, circular);
            *at(arrays.x, i) = x.value;
            *at(arrays.logDerivative, i) = x.logDerivative;
        }
    }
}

static void backpropagate(const SplineArrays<Scalar>& arrays, int64_t first, int64_t last) {
    const int64_t n = arrays.layout.numCoordinates(), K = arrays.layout.bins;
    const int stride = (int)(n * arrays.batch / LANES);
    for (int64_t j = first; j < last; j++) {
        const bool circular = j < arrays.layout.circular;
        const SplineShape shape = makeShape(arrays.layout, circular);
        for (int64_t s = 0; s < arrays.batch; s += LANES) {
            const int64_t i = j * arrays.batch + s;
            *at(arrays.yAdjoint, i) = splineInverseAdjoint(
                *at(arrays.y, i), at(arrays.parameters, i), stride, shape, circular, *at(arrays.xAdjoint, i),
                *at(arrays.logAdjoint, s), stride, at(arrays.parameterAdjoint, i));
            if (!circular)
                at(arrays.parameterAdjoint, i)[(3 * K - 1) * stride] = Lanes(0.0);
        }
    }
}

SplineKernels<Scalar> makeSplineKernels() {
    return {invert, backpropagate};
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow
