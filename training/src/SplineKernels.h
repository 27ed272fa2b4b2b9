#ifndef OPENMMFLOW_SPLINEKERNELS_H_
#define OPENMMFLOW_SPLINEKERNELS_H_

#include <cstdint>

#include "SplineLayout.h"

namespace OpenMMFlow {

/** The arrays of a coupling's splines; SplineLayout says how they are laid out. */
template <typename Scalar>
struct SplineArrays {
    SplineLayout layout;
    /** A multiple of SPLINE_BATCH_MULTIPLE; all arrays are aligned to 64 bytes. */
    int64_t batch;
    /** (n, B) and (numParameters, B). */
    const Scalar *y, *parameters;
    /** (n, B): x with spline(x) = y, and log dx/dy. */
    Scalar *x, *logDerivative;
    /** (n, B) and (B): what x and the sum of logDerivative over coordinates are worth. */
    const Scalar *xAdjoint, *logAdjoint;
    /** (n, B) and (numParameters, B): what y and the parameters are worth. */
    Scalar *yAdjoint, *parameterAdjoint;
};

/** The samples in one vector of the widest instruction set. */
constexpr int SPLINE_BATCH_MULTIPLE = 16;

/** Functions on the coordinates first ... last-1 of a coupling. */
template <typename Scalar>
struct SplineKernels {
    /** From y and parameters to x and logDerivative. */
    void (*invert)(const SplineArrays<Scalar>& arrays, int64_t first, int64_t last);
    /** From y, parameters, xAdjoint and logAdjoint to yAdjoint and parameterAdjoint. */
    void (*backpropagate)(const SplineArrays<Scalar>& arrays, int64_t first, int64_t last);
};

struct AllSplineKernels {
    SplineKernels<float> single;
    SplineKernels<double> wide;
};

/** Get the kernels for the best instruction set of this processor. */
const AllSplineKernels& getSplineKernels();

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_SPLINEKERNELS_H_*/
