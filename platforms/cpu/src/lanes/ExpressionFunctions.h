#ifndef OPENMMFLOW_EXPRESSIONFUNCTIONS_H_
#define OPENMMFLOW_EXPRESSIONFUNCTIONS_H_

#include "Lanes.h"

/** The functions of Lanes that only expressions use. */
namespace OpenMMFlow {
namespace LANE_NAMESPACE {

inline Scalar* LANE_VALUES(Lanes& x) {
    return (Scalar*)&x.v;
}

#ifdef LANE_UNARY
#define LANE_FUNCTION(NAME, name)               \
    extern "C" Vector LANE_UNARY(name)(Vector); \
    inline Lanes NAME(Lanes a) {                \
        return LANE_UNARY(name)(a.v);           \
    }
extern "C" Vector LANE_BINARY(pow)(Vector, Vector);
inline Lanes POW(Lanes a, Lanes b) {
    return LANE_BINARY(pow)(a.v, b.v);
}
#else
#define LANE_FUNCTION(NAME, name)         \
    inline Lanes NAME(Lanes a) {          \
        return applyToEach<std::name>(a); \
    }
inline Lanes POW(Lanes a, Lanes b) {
    Vector result;
    for (int i = 0; i < LANES; i++)
        result[i] = std::pow(a.v[i], b.v[i]);
    return result;
}
#endif
LANE_FUNCTION(TAN, tan)
LANE_FUNCTION(ASIN, asin)
LANE_FUNCTION(ACOS, acos)
LANE_FUNCTION(ATAN, atan)
LANE_FUNCTION(SINH, sinh)
LANE_FUNCTION(COSH, cosh)
LANE_FUNCTION(TANH, tanh)
LANE_FUNCTION(ERF, erf)
LANE_FUNCTION(ERFC, erfc)
#undef LANE_FUNCTION

/**
 * e^a for all a: infinite where it is too large, and 0 where it is no normal number. The small ones are
 * spared the vector function, which takes to scalar code, many times as slow, as soon as one lane is out of
 * range.
 */
inline Lanes FULL_EXP(Lanes a) {
    const bool isSingle = sizeof(Scalar) == 4;
    const Lanes lowest = isSingle ? -86.6 : -708.0;
    const Lanes inside = SELECT(a < lowest, lowest, a);
    Lanes result;
    if constexpr (isSingle) {
        // The result is doubled last, so that it overflows as it should.
        const Mask isLarge = inside > Lanes(0.0);
        const Lanes highest = 89.0;
        result = singleExponential(SELECT(inside > highest, highest, inside), isLarge)
                 * SELECT(isLarge, Lanes(2.0), Lanes(1.0));
    } else
        result = exponential(inside);
    return SELECT(a < lowest, Lanes(0.0), result);
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_EXPRESSIONFUNCTIONS_H_*/
