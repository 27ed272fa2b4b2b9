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
 * called, where there are any; LANE_WIDE_FUNCTION_PREFIX the same of double precision (WideLanes.h).
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
typedef Scalar UnalignedVector __attribute__((vector_size(LANE_BYTES), aligned(sizeof(Scalar))));

/** The same number in all lanes. A difference, since adding zero is an operation that the compiler must keep:
 * -0 + 0 is 0. */
inline Vector broadcast(Scalar s) {
    return s - Vector{};
}

/** A number for each of LANES samples. */
struct Lanes {
    Vector v;
    Lanes() = default;
    Lanes(Vector v) : v(v) {}
    Lanes(double s) : v(broadcast((Scalar)s)) {}
    static Lanes load(const Scalar* p) { return (Vector) * (const UnalignedVector*)p; }
    void store(Scalar* p) const { *(UnalignedVector*)p = v; }
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
    return (Vector)((Mask)a.v & ~(Mask)Lanes(-0.0).v);
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
inline Lanes exponential(Lanes a) {
    return LANE_UNARY(exp)(a.v);
}
inline Lanes logarithm(Lanes a) {
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
inline Lanes exponential(Lanes a) {
    return applyToEach<std::exp>(a);
}
inline Lanes logarithm(Lanes a) {
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

/**
 * 2^m e^a in single precision, to 1e-7 of the result, where that is a normal number: e^a = 2^n e^r with
 * |r| <= log(2)/2, and e^r is the polynomial of Moshier's Cephes library. Exponentials are most of what a
 * flow does besides matrix products, and a call to a vector function makes its caller save every vector
 * register, so they are written out, here and in what follows.
 */
[[gnu::always_inline]] inline Lanes singleExponential(Lanes a, Mask m) {
    // Adding 1.5 * 2^23 rounds to a whole number, which then stands in the lowest bits.
    const Lanes shift = 12582912.0, shifted = a * Lanes(1.44269504088896341) + shift;
    const Lanes n = shifted - shift;
    const Lanes r = a - n * Lanes(0.693359375) + n * Lanes(2.12194440e-4);
    Lanes y = Lanes(1.9875691500e-4) * r + Lanes(1.3981999507e-3);
    y = y * r + Lanes(8.3334519073e-3);
    y = y * r + Lanes(4.1665795894e-2);
    y = y * r + Lanes(1.6666665459e-1);
    y = y * r + Lanes(5.0000001201e-1);
    y = y * (r * r) + r + Lanes(1.0);
    return (Vector)((Mask)y.v + (((Mask)shifted.v + m) << 23));
}

/** e^a. In single precision, arguments beyond the range of normal numbers are taken as its ends. */
[[gnu::always_inline]] inline Lanes EXP(Lanes a) {
    if constexpr (sizeof(Scalar) == 4) {
        const Lanes lowest = -86.6, highest = 88.0;
        a = SELECT(a < lowest, lowest, a);
        a = SELECT(a > highest, highest, a);
        return singleExponential(a, Mask{});
    } else
        return exponential(a);
}

/**
 * log(a) of a normal positive number: n log(2) + log(1 + x) with 1 + x between sqrt(1/2) and sqrt(2). Written
 * out in single precision as exponentials are, and for the same reason; also from Cephes.
 */
[[gnu::always_inline]] inline Lanes LOG_NORMAL(Lanes a) {
    if constexpr (sizeof(Scalar) == 4) {
        const Mask bits = (Mask)a.v;
        // The mantissa as a number in [0.5, 1), and the exponent that belongs to it.
        const Lanes m = (Vector)((bits & 0x007fffff) | 0x3f000000);
        const Mask isLow = m < Lanes(0.707106781186547524);
        // A mask is -1 where it holds.
        const Lanes n = __builtin_convertvector((bits >> 23) - 126 + isLow, Vector);
        const Lanes x = m - Lanes(1.0) + (Vector)((Mask)m.v & isLow);
        Lanes y = Lanes(7.0376836292e-2) * x - Lanes(1.1514610310e-1);
        y = y * x + Lanes(1.1676998740e-1);
        y = y * x - Lanes(1.2420140846e-1);
        y = y * x + Lanes(1.4249322787e-1);
        y = y * x - Lanes(1.6668057665e-1);
        y = y * x + Lanes(2.0000714765e-1);
        y = y * x - Lanes(2.4999993993e-1);
        y = y * x + Lanes(3.3333331174e-1);
        const Lanes z = x * x;
        y = y * x * z - n * Lanes(2.12194440e-4) - Lanes(0.5) * z;
        return x + y + n * Lanes(0.693359375);
    } else
        return logarithm(a);
}

/** log(a), like std::log -infinity at 0 and NaN below. */
[[gnu::always_inline]] inline Lanes LOG(Lanes a) {
    if constexpr (sizeof(Scalar) == 4) {
        const Mask isTiny = a < Lanes(1.17549435e-38);
        const Lanes normal = LOG_NORMAL(SELECT(isTiny, a * Lanes(8388608.0), a));
        Lanes result = SELECT(isTiny, normal - Lanes(15.9423851528787), normal);
        const Scalar infinity = __builtin_huge_valf();
        result = SELECT(a == Lanes(infinity), a, result);
        return SELECT(a > Lanes(0.0), result,
                      SELECT(a == Lanes(0.0), Lanes(-infinity), Lanes(__builtin_nanf(""))));
    } else
        return logarithm(a);
}

// One instruction where there is one; the compiler does not find it from a loop over lanes, or from a
// condition. minimum() and maximum() are b where a or b is NaN. The first guesses
// of reciprocals are good to 14 bits with AVX-512 and to 11 with AVX2.
#if defined(__AVX512F__)
inline Lanes minimum(Lanes a, Lanes b) {
    if constexpr (sizeof(Scalar) == 4)
        return (Vector)_mm512_min_ps((__m512)a.v, (__m512)b.v);
    else
        return (Vector)_mm512_min_pd((__m512d)a.v, (__m512d)b.v);
}
inline Lanes maximum(Lanes a, Lanes b) {
    if constexpr (sizeof(Scalar) == 4)
        return (Vector)_mm512_max_ps((__m512)a.v, (__m512)b.v);
    else
        return (Vector)_mm512_max_pd((__m512d)a.v, (__m512d)b.v);
}
inline Vector guessReciprocal(Vector a) {
    return (Vector)_mm512_rcp14_ps((__m512)a);
}
inline Vector guessReciprocalRoot(Vector a) {
    return (Vector)_mm512_rsqrt14_ps((__m512)a);
}
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
inline Lanes minimum(Lanes a, Lanes b) {
    if constexpr (sizeof(Scalar) == 4)
        return (Vector)_mm256_min_ps((__m256)a.v, (__m256)b.v);
    else
        return (Vector)_mm256_min_pd((__m256d)a.v, (__m256d)b.v);
}
inline Lanes maximum(Lanes a, Lanes b) {
    if constexpr (sizeof(Scalar) == 4)
        return (Vector)_mm256_max_ps((__m256)a.v, (__m256)b.v);
    else
        return (Vector)_mm256_max_pd((__m256d)a.v, (__m256d)b.v);
}
inline Vector guessReciprocal(Vector a) {
    return (Vector)_mm256_rcp_ps((__m256)a);
}
inline Vector guessReciprocalRoot(Vector a) {
    return (Vector)_mm256_rsqrt_ps((__m256)a);
}
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
inline Lanes minimum(Lanes a, Lanes b) {
    return SELECT(a < b, a, b);
}
inline Lanes maximum(Lanes a, Lanes b) {
    return SELECT(a > b, a, b);
}
inline Lanes SQRT(Lanes a) {
    return applyToEach<std::sqrt>(a);
}
inline Lanes FLOOR(Lanes a) {
    return applyToEach<std::floor>(a);
}
#endif

/** 1/a and 1/sqrt(a) of normal positive numbers. In single precision a guess and one step of Newton's method,
 * to 3e-7 of the result, which divisions and roots take several times as long for. */
#if defined(__AVX2__)
[[gnu::always_inline]] inline Lanes RECIP(Lanes a) {
    if constexpr (sizeof(Scalar) == 4) {
        const Lanes y = guessReciprocal(a.v);
        return y + y * (Lanes(1.0) - a * y);
    } else
        return Lanes(1.0) / a;
}
[[gnu::always_inline]] inline Lanes RSQRT(Lanes a) {
    if constexpr (sizeof(Scalar) == 4) {
        const Lanes y = guessReciprocalRoot(a.v);
        return y + y * (Lanes(0.5) - (Lanes(0.5) * a * y) * y);
    } else
        return Lanes(1.0) / SQRT(a);
}
#else
inline Lanes RECIP(Lanes a) {
    return Lanes(1.0) / a;
}
inline Lanes RSQRT(Lanes a) {
    return Lanes(1.0) / SQRT(a);
}
#endif

using real = Lanes;

// Always, so that what a caller knows about an argument (see withConstants) is known inside too.
#define DEVICE [[maybe_unused, gnu::always_inline]] static inline
#include "shared/real3.h"

#include "shared/internalCoordinates.cc"

#include "shared/boxMuller.cc"
#include "shared/circularFeatures.cc"
#include "shared/frames.cc"
#include "shared/potentialTerms.cc"
#include "shared/rationalQuadraticSpline.cc"
#include "shared/rationalQuadraticSplineAdjoint.cc"
#include "shared/virtualSites.cc"
#undef DEVICE

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_LANES_H_*/
