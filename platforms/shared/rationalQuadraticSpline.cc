/* Monotonic rational-quadratic splines (Durkan et al. 2019, arXiv 1906.04032), linear ones with identity
 * tails outside of (lower, upper), circular ones on (-pi, pi) with a phase (Rezende et al. 2020, arXiv
 * 2002.02428), and ones whose ends have free derivatives, with which they go on as straight lines outside.
 * Common compute language, branch-free in the data.
 *
 * The parameters of one spline are unconstrained numbers, `stride` apart: K widths, K heights, then the
 * derivatives at knots 1 ... K-1 (1 at the ends) with identity tails, those at knots 0 ... K-1 and the phase
 * for a circular one, and those at knots 0 ... K with free ends. All zero is the identity. */

#define MAX_SPLINE_BINS 32

/* What becomes of a spline at its ends. */
#define SPLINE_IDENTITY_TAILS 0
#define SPLINE_CIRCULAR 1
#define SPLINE_FREE_ENDS 2

/* What all splines of a flow have in common. */
typedef struct {
    int bins;
    real lower, upper, minBinFraction, minDerivative;
    /* softplus(u + derivativeOffset) + minDerivative is 1 at u = 0. */
    real derivativeOffset;
} SplineShape;

/* The bin that holds a value, along x and along y. */
typedef struct {
    real left, width, bottom, height, derivativeLeft, derivativeRight;
} SplineBin;

/* log(1 + e^u). Of 1 + e^-|u|, the logarithm is taken of what it is rounded to; what rounding takes off is
 * added, or a small result would have no correct digit. */
DEVICE real softplus(real u) {
    real power = EXP(-FABS(u));
    real sum = (real)1 + power;
    real rest = power - (sum - (real)1);
    return SELECT(u > (real)0, u, (real)0) + (LOG(sum) + rest / sum);
}

DEVICE real sigmoid(real u) {
    return (real)1 / ((real)1 + EXP(-u));
}

/* The K bin sizes that unconstrained numbers stand for; they add up to upper - lower. */
DEVICE void splineBinSizes(const real* logits, int stride, SplineShape shape, real* sizes) {
    real largest = logits[0];
    for (int k = 1; k < shape.bins; k++)
        largest = SELECT(logits[k * stride] > largest, logits[k * stride], largest);
    real sum = (real)0;
    for (int k = 0; k < shape.bins; k++) {
        sizes[k] = EXP(logits[k * stride] - largest);
        sum = sum + sizes[k];
    }
    real total = shape.upper - shape.lower;
    real scale = total * ((real)1 - (real)shape.bins * shape.minBinFraction) / sum;
    for (int k = 0; k < shape.bins; k++)
        sizes[k] = total * shape.minBinFraction + scale * sizes[k];
}

/* The number of derivatives among the parameters. */
DEVICE int countSplineDerivatives(int bins, int ends) {
    return bins + ends - 1;
}

/* Which of them belongs to knot k, or -1 for none. */
DEVICE int findSplineDerivative(int k, int bins, int ends) {
    if (ends == SPLINE_FREE_ENDS)
        return k;
    if (ends == SPLINE_CIRCULAR)
        return k == bins ? 0 : k;
    return k == 0 || k == bins ? -1 : k - 1;
}

/* The unconstrained derivative at knot k. */
DEVICE real getSplineDerivative(const real* derivatives, int stride, int k, int bins, int ends) {
    int index = findSplineDerivative(k, bins, ends);
    return index < 0 ? (real)0 : derivatives[index * stride];
}

/* Find the bin that holds `value`, measured along x (`inverse` = 0) or along y (`inverse` = 1). The
 * derivatives are left unconstrained until the bin is known, so that only two of them cost an exponential. */
DEVICE SplineBin findSplineBin(real value, const real* parameters, int stride, SplineShape shape, int ends,
                               int inverse, const real* widths, const real* heights) {
    const real* derivatives = parameters + 2 * shape.bins * stride;
    SplineBin bin;
    bin.left = shape.lower;
    bin.width = widths[0];
    bin.bottom = shape.lower;
    bin.height = heights[0];
    real derivativeLeft = getSplineDerivative(derivatives, stride, 0, shape.bins, ends);
    real derivativeRight = getSplineDerivative(derivatives, stride, 1, shape.bins, ends);
    real x = shape.lower;
    real y = shape.lower;
    for (int k = 1; k < shape.bins; k++) {
        x = x + widths[k - 1];
        y = y + heights[k - 1];
        real knot = inverse ? y : x;
        real here = getSplineDerivative(derivatives, stride, k, shape.bins, ends);
        real next = getSplineDerivative(derivatives, stride, k + 1, shape.bins, ends);
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

DEVICE real clampToSpline(real x, SplineShape shape) {
    real y = SELECT(x < shape.lower, shape.lower, x);
    return SELECT(y > shape.upper, shape.upper, y);
}

/* 1 inside of the spline, 0 on its tails. */
DEVICE real isInsideSpline(real x, SplineShape shape) {
    real result = SELECT(x > shape.lower, (real)1, (real)0);
    return SELECT(x < shape.upper, result, (real)0);
}

/* The derivative on the tail of free ends that x lies on, given the outermost bin there. */
DEVICE real getTailDerivative(real x, SplineBin bin, SplineShape shape) {
    return SELECT(x >= shape.upper, bin.derivativeRight, bin.derivativeLeft);
}

/* dy/dx at the fraction t of a bin; equation 5 of Durkan et al. */
DEVICE real evaluateSplineDerivative(SplineBin bin, real t) {
    real s = bin.height / bin.width;
    real u = t * ((real)1 - t);
    real denominator = s + (bin.derivativeRight + bin.derivativeLeft - (real)2 * s) * u;
    real slope =
        bin.derivativeRight * t * t + (real)2 * s * u + bin.derivativeLeft * ((real)1 - t) * ((real)1 - t);
    real ratio = s / denominator;
    return ratio * ratio * slope;
}

/* y at the fraction t of a bin; equation 4. */
DEVICE real evaluateSplineBin(SplineBin bin, real t) {
    real s = bin.height / bin.width;
    real u = t * ((real)1 - t);
    real denominator = s + (bin.derivativeRight + bin.derivativeLeft - (real)2 * s) * u;
    return bin.bottom + bin.height * (s * t * t + bin.derivativeLeft * u) / denominator;
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

/* A point of a spline: how far into which bin it is, and the value that said so, without the phase and
 * brought into the range of the spline. */
typedef struct {
    real inside, t;
    SplineBin bin;
} SplinePoint;

/* Find the point whose x (`inverse` = 0) or y (`inverse` = 1) is `value`, and the sizes of all bins. */
DEVICE SplinePoint findSplinePoint(real value, const real* parameters, int stride, SplineShape shape,
                                   int ends, int inverse, real* widths, real* heights) {
    splineBinSizes(parameters, stride, shape, widths);
    splineBinSizes(parameters + shape.bins * stride, stride, shape, heights);
    if (inverse && ends == SPLINE_CIRCULAR)
        value = wrapAngle(value - parameters[3 * shape.bins * stride]);
    SplinePoint point;
    point.inside = clampToSpline(value, shape);
    point.bin = findSplineBin(point.inside, parameters, stride, shape, ends, inverse, widths, heights);
    if (inverse)
        point.t = invertSplineBin(point.bin, point.inside);
    else
        point.t = (point.inside - point.bin.left) / point.bin.width;
    return point;
}

/* spline(x) at the point of x. */
DEVICE real getSplineValue(SplinePoint point, real x, const real* parameters, int stride, SplineShape shape,
                           int ends) {
    real value = evaluateSplineBin(point.bin, point.t);
    if (ends == SPLINE_CIRCULAR)
        return wrapAngle(value + parameters[3 * shape.bins * stride]);
    real tail = ends == SPLINE_FREE_ENDS ? getTailDerivative(x, point.bin, shape) : (real)1;
    return SELECT(isInsideSpline(x, shape) > (real)0, value, point.inside + (x - point.inside) * tail);
}

/* x with spline(x) = y, at the point of y. */
DEVICE real getSplineArgument(SplinePoint point, real y, SplineShape shape, int ends) {
    real argument = point.bin.left + point.t * point.bin.width;
    if (ends == SPLINE_CIRCULAR)
        return argument;
    real tail = ends == SPLINE_FREE_ENDS ? getTailDerivative(y, point.bin, shape) : (real)1;
    return SELECT(isInsideSpline(y, shape) > (real)0, argument, point.inside + (y - point.inside) / tail);
}

/* The derivative of the spline at the point of x, or of y: either says whether it is inside of the spline. */
DEVICE real getSplineSlope(SplinePoint point, real value, SplineShape shape, int ends) {
    real derivative = evaluateSplineDerivative(point.bin, point.t);
    if (ends == SPLINE_CIRCULAR)
        return derivative;
    real tail = ends == SPLINE_FREE_ENDS ? getTailDerivative(value, point.bin, shape) : (real)1;
    return SELECT(isInsideSpline(value, shape) > (real)0, derivative, tail);
}

/* y = spline(x), and log(dy/dx). */
DEVICE SplineResult splineForward(real x, const real* parameters, int stride, SplineShape shape, int ends) {
    real widths[MAX_SPLINE_BINS], heights[MAX_SPLINE_BINS];
    SplinePoint point = findSplinePoint(x, parameters, stride, shape, ends, 0, widths, heights);
    SplineResult result;
    result.value = getSplineValue(point, x, parameters, stride, shape, ends);
    result.logDerivative = LOG(getSplineSlope(point, x, shape, ends));
    return result;
}

/* x with spline(x) = y, and log(dx/dy). */
DEVICE SplineResult splineInverse(real y, const real* parameters, int stride, SplineShape shape, int ends) {
    real widths[MAX_SPLINE_BINS], heights[MAX_SPLINE_BINS];
    SplinePoint point = findSplinePoint(y, parameters, stride, shape, ends, 1, widths, heights);
    SplineResult result;
    result.value = getSplineArgument(point, y, shape, ends);
    result.logDerivative = -LOG(getSplineSlope(point, y, shape, ends));
    return result;
}
