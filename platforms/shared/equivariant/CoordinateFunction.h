// The functions that the coupling flows apply to coordinates. Included inside a namespace that has `real`,
// STRIDE and the shared maths. No include guard: each meaning of `real` includes it once.

/** The function of one coordinate: a spline, or an affine function. */
struct CoordinateFunction {
    bool isAffine;
    /** Whether it is an odd function: then it acts on the absolute value, and leaves the sign. */
    bool isOdd;
    int ends;
    SplineShape shape;

    SplineResult forward(real x, const real* parameters) const {
        if (isAffine) {
            const real scale = getScale(parameters);
            return {x * scale + getShift(parameters), LOG(scale)};
        }
        SplineResult y = splineForward(isOdd ? FABS(x) : x, parameters, STRIDE, shape, ends);
        return restoreSign(x, y);
    }
    SplineResult inverse(real y, const real* parameters) const {
        if (isAffine) {
            const real scale = getScale(parameters);
            return {(y - getShift(parameters)) / scale, -LOG(scale)};
        }
        SplineResult x = splineInverse(isOdd ? FABS(y) : y, parameters, STRIDE, shape, ends);
        return restoreSign(y, x);
    }
    /** Return what y is worth, and set what the parameters are worth, given what inverse(y) is worth. */
    real inverseAdjoint(real y, const real* parameters, real valueAdjoint, real logAdjoint,
                        real* parameterAdjoint) const {
        if (isAffine) {
            const real scale = getScale(parameters), yAdjoint = valueAdjoint / scale;
            const real scaleAdjoint = -(yAdjoint * (y - getShift(parameters)) + logAdjoint) / scale;
            parameterAdjoint[0] = scaleAdjoint * sigmoid(parameters[0] + shape.derivativeOffset);
            parameterAdjoint[STRIDE] = isOdd ? real(0.0) : -yAdjoint;
            return yAdjoint;
        }
        const real sign = isOdd ? signOf(y) : real(1.0);
        return sign
               * splineInverseAdjoint(sign * y, parameters, STRIDE, shape, ends, sign * valueAdjoint,
                                      logAdjoint, STRIDE, parameterAdjoint);
    }

private:
    static real signOf(real x) { return SELECT(x < real(0.0), real(-1.0), real(1.0)); }
    SplineResult restoreSign(real x, SplineResult y) const {
        if (isOdd)
            y.value = signOf(x) * y.value;
        return y;
    }
    real getScale(const real* parameters) const {
        return shape.minDerivative + softplus(parameters[0] + shape.derivativeOffset);
    }
    real getShift(const real* parameters) const { return isOdd ? real(0.0) : parameters[STRIDE]; }
};
