/* The derivatives of the splines in rationalQuadraticSpline.cc, in reverse: from what the result is worth to
 * what the argument and the parameters are worth. Common compute language. */

/* Reverse of splineBinSizes: logitAdjoint from sizeAdjoint. sizes is what splineBinSizes gave. */
DEVICE void splineBinSizesAdjoint(const real* sizes, const real* sizeAdjoint, SplineShape shape, int stride,
                                  real* logitAdjoint) {
    real total = shape.upper - shape.lower;
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

/* d softplus(u)/du, from the derivative at a knot that u stands for: u itself would have to be looked for. */
DEVICE real getSoftplusSlope(real derivative, SplineShape shape) {
    return (real)1 - EXP(shape.minDerivative - derivative);
}

/* Reverse of splineInverse at a point that findSplinePoint() has found, by either coordinate: given what its
 * value and its logDerivative are worth, return what y is worth and set what the parameters are worth. The
 * implicit function theorem gives x = spline^-1(y) the adjoints dx = (dy - d spline)/spline'. */
DEVICE real splineInverseAdjointAt(SplinePoint point, real y, SplineShape shape, int ends, int inverse,
                                   const real* widths, const real* heights, real valueAdjoint,
                                   real logAdjoint, int adjointStride, real* parameterAdjoint) {
    real widthAdjoint[MAX_SPLINE_BINS], heightAdjoint[MAX_SPLINE_BINS];
    SplineBin bin = point.bin;
    real derivative = evaluateSplineDerivative(bin, point.t);

    real forwardLog = -logAdjoint;
    real xAdjoint = valueAdjoint + evaluateSplineBinAdjoint(bin, point.t, (real)0, forwardLog).x;
    real yAdjoint = xAdjoint / derivative;
    SplineBinAdjoint adjoint = evaluateSplineBinAdjoint(bin, point.t, -yAdjoint, forwardLog);
    if (ends != SPLINE_CIRCULAR) {
        /* On a tail x = end + (y - end)/d, and log(dx/dy) = -log(d). */
        real isInside = isInsideSpline(y, shape);
        real tail = ends == SPLINE_FREE_ENDS ? getTailDerivative(y, bin, shape) : (real)1;
        real zero = (real)0;
        real tailAdjoint = -(valueAdjoint * (y - clampToSpline(y, shape)) / tail + logAdjoint) / tail;
        real leftTail = ends == SPLINE_FREE_ENDS ? SELECT(y >= shape.upper, zero, tailAdjoint) : zero;
        real rightTail = ends == SPLINE_FREE_ENDS ? SELECT(y >= shape.upper, tailAdjoint, zero) : zero;
        yAdjoint = SELECT(isInside > zero, yAdjoint, valueAdjoint / tail);
        adjoint.bin.left = SELECT(isInside > zero, adjoint.bin.left, zero);
        adjoint.bin.width = SELECT(isInside > zero, adjoint.bin.width, zero);
        adjoint.bin.bottom = SELECT(isInside > zero, adjoint.bin.bottom, zero);
        adjoint.bin.height = SELECT(isInside > zero, adjoint.bin.height, zero);
        adjoint.bin.derivativeLeft = SELECT(isInside > zero, adjoint.bin.derivativeLeft, leftTail);
        adjoint.bin.derivativeRight = SELECT(isInside > zero, adjoint.bin.derivativeRight, rightTail);
    }
    real leftAdjoint = adjoint.bin.derivativeLeft * getSoftplusSlope(bin.derivativeLeft, shape);
    real rightAdjoint = adjoint.bin.derivativeRight * getSoftplusSlope(bin.derivativeRight, shape);

    /* The left edge of the bin is the sum of the sizes before it. */
    const real* sizes = inverse ? heights : widths;
    real* derivativeAdjoint = parameterAdjoint + 2 * shape.bins * adjointStride;
    int numDerivatives = countSplineDerivatives(shape.bins, ends);
    for (int k = 0; k < numDerivatives; k++)
        derivativeAdjoint[k * adjointStride] = (real)0;
    real lower = shape.lower;
    for (int k = 0; k < shape.bins; k++) {
        real upper = lower + sizes[k];
        real first = (k == 0) ? lower - (real)1 : lower;
        real final = (k == shape.bins - 1) ? shape.upper + (real)1 : upper;
        real before = SELECT(point.inside >= final, (real)1, (real)0);
        real within = SELECT(point.inside >= first, (real)1, (real)0) - before;
        widthAdjoint[k] = before * adjoint.bin.left + within * adjoint.bin.width;
        heightAdjoint[k] = before * adjoint.bin.bottom + within * adjoint.bin.height;
        int leftKnot = findSplineDerivative(k, shape.bins, ends);
        int rightKnot = findSplineDerivative(k + 1, shape.bins, ends);
        if (leftKnot >= 0)
            derivativeAdjoint[leftKnot * adjointStride] =
                derivativeAdjoint[leftKnot * adjointStride] + within * leftAdjoint;
        if (rightKnot >= 0)
            derivativeAdjoint[rightKnot * adjointStride] =
                derivativeAdjoint[rightKnot * adjointStride] + within * rightAdjoint;
        lower = upper;
    }
    splineBinSizesAdjoint(widths, widthAdjoint, shape, adjointStride, parameterAdjoint);
    splineBinSizesAdjoint(heights, heightAdjoint, shape, adjointStride,
                          parameterAdjoint + shape.bins * adjointStride);
    if (ends == SPLINE_CIRCULAR)
        parameterAdjoint[3 * shape.bins * adjointStride] = -yAdjoint;
    return yAdjoint;
}

/* The same from y alone. */
DEVICE real splineInverseAdjoint(real y, const real* parameters, int stride, SplineShape shape, int ends,
                                 real valueAdjoint, real logAdjoint, int adjointStride,
                                 real* parameterAdjoint) {
    real widths[MAX_SPLINE_BINS], heights[MAX_SPLINE_BINS];
    SplinePoint point = findSplinePoint(y, parameters, stride, shape, ends, 1, widths, heights);
    return splineInverseAdjointAt(point, y, shape, ends, 1, widths, heights, valueAdjoint, logAdjoint,
                                  adjointStride, parameterAdjoint);
}
