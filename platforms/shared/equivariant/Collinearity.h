// A penalty on frames whose two vectors are nearly collinear, where coordinates in a frame are ill-defined.
// Included inside a namespace that has `real` and the shared maths. No include guard: each meaning of `real`
// includes it once.

/** A penalty, and what the two vectors are worth to it. */
struct Collinearity {
    real penalty;
    real3 first, second;
};

/** -log(1 - |cos|) of the angle between two vectors; where they are so collinear that its slope would upset
 * everything else, nothing. */
inline Collinearity computeCollinearity(real3 first, real3 second) {
    const real inverseFirst = RSQRT(dotProduct(first, first) + real(TINY_SQUARE));
    const real inverseSecond = RSQRT(dotProduct(second, second) + real(TINY_SQUARE));
    const real3 a = inverseFirst * first, b = inverseSecond * second;
    const real cosine = dotProduct(a, b), room = real(1.0) - FABS(cosine);
    const auto isRegular = room >= real(1e-4);
    const real slope = SELECT(isRegular, SELECT(cosine < real(0.0), real(-1.0), real(1.0)) / room, real(0.0));
    return {-LOG(SELECT(isRegular, room, real(1.0))), slope * inverseFirst * (b - cosine * a),
            slope * inverseSecond * (a - cosine * b)};
}
