/* The derivatives of the splines in rationalQuadraticSpline.cc, in reverse: from what the result is worth to
 * what the argument and the parameters are worth. Common compute language. */

/* Reverse of splineBinSizes: logitAdjoint from sizeAdjoint. sizes is what splineBinSizes gave. */
DEVICE void splineBinSizesAdjoint(const real* sizes, const real* sizeAdjoint, SplineShape shape, int stride,
                                  real* logitAdjoint) {
    real total = (real)2 * shape.bound;
    real floorSize = total * shape.minBinFraction;
    real range = total - (real)shape.bins * floorSize;
    real mean = (real)0;
    for (int k = 0; k < shape.bins; k++)
        mean = mean + (sizes[k] - floorSize) * sizeAdjoint[k];
    mean = mean / range;
    for (int k = 0; k < shape.bins; k++)
        logitAdjoint[k * stride] = (sizes[k] - floorSize) * (sizeAdjoint[k] - mean);
}

/* Adjoints of evaluateSplineBin: what x and the six numbers of the bin are worth. */
typedef struct {
    real x;
    SplineBin bin;
} SplineBinAdjoint;

DEVICE SplineBinAdjoint evaluateSplineBinAdjoint(SplineBin bin, real t, real valueAdjoint, real logAdjoint) {
    real s = bin.height / bin.width;
    real u = t * ((real)1 - t);
    real curvature = bin.derivativeRight + bin.derivativeLeft - (real)2 * s;
    real denominator = s + curvature * u;
    real numerator = s * t * t + bin.derivativeLeft * u;
    real slope =
        bin.derivativeRight * t * t + (real)2 * s * u + bin.derivativeLeft * ((real)1 - t) * ((real)1 - t);
    real inverse = (real)1 / denominator;

    real numeratorAdjoint = valueAdjoint * bin.height * inverse;
    real denominatorAdjoint = -numeratorAdjoint * numerator * inverse - (real)2 * logAdjoint * inverse;
    real slopeAdjoint = logAdjoint / slope;
    real sAdjoint = (real)2 * logAdjoint / s + slopeAdjoint * (real)2 * u + numeratorAdjoint * t * t
                    + denominatorAdjoint * ((real)1 - (real)2 * u);
    real uAdjoint =
        slopeAdjoint * (real)2 * s + numeratorAdjoint * bin.derivativeLeft + denominatorAdjoint * curvature;
    real tAdjoint = slopeAdjoint * (real)2 * (bin.derivativeRight * t - bin.derivativeLeft * ((real)1 - t))
                    + numeratorAdjoint * (real)2 * s * t + uAdjoint * ((real)1 - (real)2 * t);

    SplineBinAdjoint result;
    result.x = tAdjoint / bin.width;
    result.bin.left = -result.x;
    result.bin.width = -(result.x * t + sAdjoint * s / bin.width);
    result.bin.bottom = valueAdjoint;
    result.bin.height = valueAdjoint * numerator * inverse + sAdjoint / bin.width;
    result.bin.derivativeLeft =
        slopeAdjoint * ((real)1 - t) * ((real)1 - t) + (numeratorAdjoint + denominatorAdjoint) * u;
    result.bin.derivativeRight = slopeAdjoint * t * t + denominatorAdjoint * u;
    return result;
}

/* Reverse of splineInverse: given what its value and its logDerivative are worth, add up what y is worth
 * (returned) and set what the parameters are worth. The implicit function theorem gives x = spline^-1(y) the
 * adjoints dx = (dy - d spline)/spline'. */
DEVICE real splineInverseAdjoint(real y, const real* parameters, int stride, SplineShape shape, int circular,
                                 real valueAdjoint, real logAdjoint, int adjointStride,
                                 real* parameterAdjoint) {
    real widths[MAX_SPLINE_BINS], heights[MAX_SPLINE_BINS], widthAdjoint[MAX_SPLINE_BINS],
        heightAdjoint[MAX_SPLINE_BINS];
    splineBinSizes(parameters, stride, shape, widths);
    splineBinSizes(parameters + shape.bins * stride, stride, shape, heights);
    real unshifted = y;
    if (circular)
        unshifted = wrapAngle(y - parameters[3 * shape.bins * stride]);
    real inside = clampToBound(unshifted, shape.bound);
    SplineBin bin = findSplineBin(inside, parameters, stride, shape, circular, 1, widths, heights);
    real t = invertSplineBin(bin, inside);
    real derivative = EXP(evaluateSplineBin(bin, t).logDerivative);

    real forwardLog = -logAdjoint;
    real xAdjoint = valueAdjoint + evaluateSplineBinAdjoint(bin, t, (real)0, forwardLog).x;
    real yAdjoint = xAdjoint / derivative;
    SplineBinAdjoint adjoint = evaluateSplineBinAdjoint(bin, t, -yAdjoint, forwardLog);
    if (!circular) {
        yAdjoint = SELECT(FABS(y) < shape.bound, yAdjoint, valueAdjoint);
        real zero = (real)0;
        adjoint.bin.left = SELECT(FABS(y) < shape.bound, adjoint.bin.left, zero);
        adjoint.bin.width = SELECT(FABS(y) < shape.bound, adjoint.bin.width, zero);
        adjoint.bin.bottom = SELECT(FABS(y) < shape.bound, adjoint.bin.bottom, zero);
        adjoint.bin.height = SELECT(FABS(y) < shape.bound, adjoint.bin.height, zero);
        adjoint.bin.derivativeLeft = SELECT(FABS(y) < shape.bound, adjoint.bin.derivativeLeft, zero);
        adjoint.bin.derivativeRight = SELECT(FABS(y) < shape.bound, adjoint.bin.derivativeRight, zero);
    }

    /* The left edge of the bin is the sum of the sizes before it. */
    const real* derivatives = parameters + 2 * shape.bins * stride;
    real* derivativeAdjoint = parameterAdjoint + 2 * shape.bins * adjointStride;
    int numDerivatives = circular ? shape.bins : shape.bins - 1;
    for (int k = 0; k < numDerivatives; k++)
        derivativeAdjoint[k * adjointStride] = (real)0;
    real lower = -shape.bound;
    for (int k = 0; k < shape.bins; k++) {
        real upper = lower + heights[k];
        real first = (k == 0) ? lower - (real)1 : lower;
        real final = (k == shape.bins - 1) ? shape.bound + (real)1 : upper;
        real before = SELECT(inside >= final, (real)1, (real)0);
        real within = SELECT(inside >= first, (real)1, (real)0) - before;
        widthAdjoint[k] = before * adjoint.bin.left + within * adjoint.bin.width;
        heightAdjoint[k] = before * adjoint.bin.bottom + within * adjoint.bin.height;
        int leftKnot = circular ? k : k - 1;
        int rightKnot = circular ? (k + 1) % shape.bins : k;
        if (leftKnot >= 0)
            derivativeAdjoint[leftKnot * adjointStride] =
                derivativeAdjoint[leftKnot * adjointStride]
                + within * adjoint.bin.derivativeLeft
                      * sigmoid(derivatives[leftKnot * stride] + shape.derivativeOffset);
        if (rightKnot < numDerivatives)
            derivativeAdjoint[rightKnot * adjointStride] =
                derivativeAdjoint[rightKnot * adjointStride]
                + within * adjoint.bin.derivativeRight
                      * sigmoid(derivatives[rightKnot * stride] + shape.derivativeOffset);
        lower = upper;
    }
    splineBinSizesAdjoint(widths, widthAdjoint, shape, adjointStride, parameterAdjoint);
    splineBinSizesAdjoint(heights, heightAdjoint, shape, adjointStride,
                          parameterAdjoint + shape.bins * adjointStride);
    if (circular)
        parameterAdjoint[3 * shape.bins * adjointStride] = -yAdjoint;
    return yAdjoint;
}
