#ifndef OPENMMFLOW_LANES_H_
#define OPENMMFLOW_LANES_H_

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <cmath>

/**
 * SIMD lanes as the `real` of the shared maths: one sample in each lane.
 *
 * The build compiles this folder once for each instruction set and precision, and says so: LANE_SCALAR is
 * float or double, LANE_BYTES the size of a vector, LANE_NAMESPACE the namespace that keeps the precisions of
 * one library apart, and LANE_FUNCTION_PREFIX and LANE_FUNCTION_SUFFIX what glibc's vector functions are
 * called, where there are any.
 */
#ifdef LANE_FUNCTION_PREFIX
#define LANE_JOIN(prefix, kind, name, suffix) prefix##kind##name##suffix
#define LANE_EXPAND(prefix, kind, name, suffix) LANE_JOIN(prefix, kind, name, suffix)
#define LANE_UNARY(name) LANE_EXPAND(LANE_FUNCTION_PREFIX, v_, name, LANE_FUNCTION_SUFFIX)
#define LANE_BINARY(name) LANE_EXPAND(LANE_FUNCTION_PREFIX, vv_, name, LANE_FUNCTION_SUFFIX)
#endif

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

using Scalar = LANE_SCALAR;
constexpr int LANES = LANE_BYTES / sizeof(Scalar);
typedef Scalar Vector __attribute__((vector_size(LANE_BYTES)));

/** A number for each of LANES samples. */
struct Lanes {
    Vector v;
    Lanes() = default;
    Lanes(Vector v) : v(v) {}
    Lanes(double s) : v(Vector{} + (Scalar)s) {}
    static Lanes load(const Scalar* p) { return *(const Vector*)p; }
    void store(Scalar* p) const { *(Vector*)p = v; }
};

/** True or false for each of LANES samples. */
using Mask = decltype(Vector{} < Vector{});

inline Lanes operator+(Lanes a, Lanes b) {
    return a.v + b.v;
}
inline Lanes operator-(Lanes a, Lanes b) {
    return a.v - b.v;
}
inline Lanes operator*(Lanes a, Lanes b) {
    return a.v * b.v;
}
inline Lanes operator/(Lanes a, Lanes b) {
    return a.v / b.v;
}
inline Lanes operator-(Lanes a) {
    return -a.v;
}
inline Mask operator<(Lanes a, Lanes b) {
    return a.v < b.v;
}
inline Mask operator>(Lanes a, Lanes b) {
    return a.v > b.v;
}
inline Mask operator>=(Lanes a, Lanes b) {
    return a.v >= b.v;
}
inline Mask operator==(Lanes a, Lanes b) {
    return a.v == b.v;
}
inline Lanes SELECT(Mask condition, Lanes a, Lanes b) {
    return condition ? a.v : b.v;
}
inline Lanes FABS(Lanes a) {
    return SELECT(a < Lanes(0.0), -a, a);
}

template <Scalar (*FUNCTION)(Scalar)>
inline Lanes applyToEach(Lanes a) {
    Vector result;
    for (int i = 0; i < LANES; i++)
        result[i] = FUNCTION(a.v[i]);
    return result;
}

#ifdef LANE_UNARY
extern "C" {
Vector LANE_UNARY(exp)(Vector);
Vector LANE_UNARY(log)(Vector);
Vector LANE_UNARY(sin)(Vector);
Vector LANE_UNARY(cos)(Vector);
Vector LANE_BINARY(atan2)(Vector, Vector);
}
inline Lanes EXP(Lanes a) {
    return LANE_UNARY(exp)(a.v);
}
inline Lanes LOG(Lanes a) {
    return LANE_UNARY(log)(a.v);
}
inline Lanes SIN(Lanes a) {
    return LANE_UNARY(sin)(a.v);
}
inline Lanes COS(Lanes a) {
    return LANE_UNARY(cos)(a.v);
}
inline Lanes ATAN2(Lanes y, Lanes x) {
    return LANE_BINARY(atan2)(y.v, x.v);
}
#else
inline Lanes EXP(Lanes a) {
    return applyToEach<std::exp>(a);
}
inline Lanes LOG(Lanes a) {
    return applyToEach<std::log>(a);
}
inline Lanes SIN(Lanes a) {
    return applyToEach<std::sin>(a);
}
inline Lanes COS(Lanes a) {
    return applyToEach<std::cos>(a);
}
inline Lanes ATAN2(Lanes y, Lanes x) {
    Vector result;
    for (int i = 0; i < LANES; i++)
        result[i] = std::atan2(y.v[i], x.v[i]);
    return result;
}
#endif

// One instruction where there is one; the compiler does not find it from a loop over lanes.
#if defined(__AVX512F__)
inline Lanes SQRT(Lanes a) {
    if constexpr (sizeof(Scalar) == 4)
        return (Vector)_mm512_sqrt_ps((__m512)a.v);
    else
        return (Vector)_mm512_sqrt_pd((__m512d)a.v);
}
inline Lanes FLOOR(Lanes a) {
    if constexpr (sizeof(Scalar) == 4)
        return (Vector)_mm512_roundscale_ps((__m512)a.v, _MM_FROUND_TO_NEG_INF);
    else
        return (Vector)_mm512_roundscale_pd((__m512d)a.v, _MM_FROUND_TO_NEG_INF);
}
#elif defined(__AVX2__)
inline Lanes SQRT(Lanes a) {
    if constexpr (sizeof(Scalar) == 4)
        return (Vector)_mm256_sqrt_ps((__m256)a.v);
    else
        return (Vector)_mm256_sqrt_pd((__m256d)a.v);
}
inline Lanes FLOOR(Lanes a) {
    if constexpr (sizeof(Scalar) == 4)
        return (Vector)_mm256_floor_ps((__m256)a.v);
    else
        return (Vector)_mm256_floor_pd((__m256d)a.v);
}
#else
inline Lanes SQRT(Lanes a) {
    return applyToEach<std::sqrt>(a);
}
inline Lanes FLOOR(Lanes a) {
    return applyToEach<std::floor>(a);
}
#endif

using real = Lanes;

#define DEVICE [[maybe_unused]] static inline
#include "shared/real3.h"

#include "shared/boxMuller.cc"
#include "shared/internalCoordinates.cc"
#include "shared/rationalQuadraticSpline.cc"
#include "shared/rationalQuadraticSplineAdjoint.cc"
#undef DEVICE

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_LANES_H_*/
