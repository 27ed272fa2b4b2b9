/* Monotonic rational-quadratic splines (Durkan et al. 2019, arXiv 1906.04032), linear ones with identity
 * tails outside
 * (-bound, bound), and circular ones with a phase (Rezende et al. 2020, arXiv 2002.02428), where bound is pi.
 * Common compute language, branch-free in the data.
 *
 * The parameters of one spline are unconstrained numbers, `stride` apart: K widths, K heights, then for a
 * linear spline the derivatives at the K-1 inner knots (1 at the ends), for a circular one those at knots 0
 * ... K-1 and the phase. All zero is the identity. */

#define MAX_SPLINE_BINS 32

/* What all splines of a flow have in common. */
typedef struct {
    int bins;
    real bound, minBinFraction, minDerivative;
    /* softplus(u + derivativeOffset) + minDerivative is 1 at u = 0. */
    real derivativeOffset;
} SplineShape;

/* The bin that holds a value, along x and along y. */
typedef struct {
    real left, width, bottom, height, derivativeLeft, derivativeRight;
} SplineBin;

DEVICE real softplus(real u) {
    return SELECT(u > (real)0, u, (real)0) + LOG((real)1 + EXP(-FABS(u)));
}

DEVICE real sigmoid(real u) {
    return (real)1 / ((real)1 + EXP(-u));
}

/* The K bin sizes that unconstrained numbers stand for; they add up to 2*bound. */
DEVICE void splineBinSizes(const real* logits, int stride, SplineShape shape, real* sizes) {
    real largest = logits[0];
    for (int k = 1; k < shape.bins; k++)
        largest = SELECT(logits[k * stride] > largest, logits[k * stride], largest);
    real sum = (real)0;
    for (int k = 0; k < shape.bins; k++) {
        sizes[k] = EXP(logits[k * stride] - largest);
        sum = sum + sizes[k];
    }
    real total = (real)2 * shape.bound;
    real scale = total * ((real)1 - (real)shape.bins * shape.minBinFraction) / sum;
    for (int k = 0; k < shape.bins; k++)
        sizes[k] = total * shape.minBinFraction + scale * sizes[k];
}

/* Find the bin that holds `value`, measured along x (`inverse` = 0) or along y (`inverse` = 1). The
 * derivatives are left unconstrained until the bin is known, so that only two of them cost an exponential. */
DEVICE SplineBin findSplineBin(real value, const real* parameters, int stride, SplineShape shape,
                               int circular, int inverse, const real* widths, const real* heights) {
    const real* derivatives = parameters + 2 * shape.bins * stride;
    SplineBin bin;
    bin.left = -shape.bound;
    bin.width = widths[0];
    bin.bottom = -shape.bound;
    bin.height = heights[0];
    real derivativeLeft = circular ? derivatives[0] : (real)0;
    real derivativeRight = circular ? derivatives[stride] : derivatives[0];
    real x = -shape.bound;
    real y = -shape.bound;
    for (int k = 1; k < shape.bins; k++) {
        x = x + widths[k - 1];
        y = y + heights[k - 1];
        int last = (k == shape.bins - 1);
        real knot = inverse ? y : x;
        real here = derivatives[(circular ? k : k - 1) * stride];
        real next =
            last ? (circular ? derivatives[0] : (real)0) : derivatives[(circular ? k + 1 : k) * stride];
        bin.left = SELECT(value >= knot, x, bin.left);
        bin.bottom = SELECT(value >= knot, y, bin.bottom);
        bin.width = SELECT(value >= knot, widths[k], bin.width);
        bin.height = SELECT(value >= knot, heights[k], bin.height);
        derivativeLeft = SELECT(value >= knot, here, derivativeLeft);
        derivativeRight = SELECT(value >= knot, next, derivativeRight);
    }
    bin.derivativeLeft = shape.minDerivative + softplus(derivativeLeft + shape.derivativeOffset);
    bin.derivativeRight = shape.minDerivative + softplus(derivativeRight + shape.derivativeOffset);
    return bin;
}

/* The result of a spline: its value, and the log of its derivative. */
typedef struct {
    real value, logDerivative;
} SplineResult;

DEVICE real clampToBound(real x, real bound) {
    real y = SELECT(x < -bound, -bound, x);
    return SELECT(y > bound, bound, y);
}

/* y and log(dy/dx) at the fraction t of a bin; equations 4 and 5 of Durkan et al. */
DEVICE SplineResult evaluateSplineBin(SplineBin bin, real t) {
    real s = bin.height / bin.width;
    real u = t * ((real)1 - t);
    real denominator = s + (bin.derivativeRight + bin.derivativeLeft - (real)2 * s) * u;
    real slope =
        bin.derivativeRight * t * t + (real)2 * s * u + bin.derivativeLeft * ((real)1 - t) * ((real)1 - t);
    real ratio = s / denominator;
    SplineResult result;
    result.value = bin.bottom + bin.height * (s * t * t + bin.derivativeLeft * u) / denominator;
    result.logDerivative = LOG(ratio * ratio * slope);
    return result;
}

/* The fraction t of a bin at which the spline has the value y; equations 6 to 8 of Durkan et al. */
DEVICE real invertSplineBin(SplineBin bin, real y) {
    real s = bin.height / bin.width;
    real dy = y - bin.bottom;
    real curvature = bin.derivativeRight + bin.derivativeLeft - (real)2 * s;
    real a = bin.height * (s - bin.derivativeLeft) + dy * curvature;
    real b = bin.height * bin.derivativeLeft - dy * curvature;
    real c = -s * dy;
    real discriminant = b * b - (real)4 * a * c;
    discriminant = SELECT(discriminant > (real)0, discriminant, (real)0);
    real t = (real)-2 * c / (b + SQRT(discriminant));
    return SELECT(t > (real)1, (real)1, t);
}

/* y = spline(x), and log(dy/dx). */
DEVICE SplineResult splineForward(real x, const real* parameters, int stride, SplineShape shape,
                                  int circular) {
    real widths[MAX_SPLINE_BINS], heights[MAX_SPLINE_BINS];
    splineBinSizes(parameters, stride, shape, widths);
    splineBinSizes(parameters + shape.bins * stride, stride, shape, heights);
    real inside = clampToBound(x, shape.bound);
    SplineBin bin = findSplineBin(inside, parameters, stride, shape, circular, 0, widths, heights);
    SplineResult result = evaluateSplineBin(bin, (inside - bin.left) / bin.width);
    if (circular)
        result.value = wrapAngle(result.value + parameters[3 * shape.bins * stride]);
    else {
        result.value = SELECT(FABS(x) < shape.bound, result.value, x);
        result.logDerivative = SELECT(FABS(x) < shape.bound, result.logDerivative, (real)0);
    }
    return result;
}

/* x with spline(x) = y, and log(dx/dy). */
DEVICE SplineResult splineInverse(real y, const real* parameters, int stride, SplineShape shape,
                                  int circular) {
    real widths[MAX_SPLINE_BINS], heights[MAX_SPLINE_BINS];
    splineBinSizes(parameters, stride, shape, widths);
    splineBinSizes(parameters + shape.bins * stride, stride, shape, heights);
    real unshifted = y;
    if (circular)
        unshifted = wrapAngle(y - parameters[3 * shape.bins * stride]);
    real inside = clampToBound(unshifted, shape.bound);
    SplineBin bin = findSplineBin(inside, parameters, stride, shape, circular, 1, widths, heights);
    real t = invertSplineBin(bin, inside);
    SplineResult result;
    result.value = bin.left + t * bin.width;
    result.logDerivative = -evaluateSplineBin(bin, t).logDerivative;
    if (!circular) {
        result.value = SELECT(FABS(y) < shape.bound, result.value, y);
        result.logDerivative = SELECT(FABS(y) < shape.bound, result.logDerivative, (real)0);
    }
    return result;
}
