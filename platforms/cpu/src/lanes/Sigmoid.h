#ifndef OPENMMFLOW_SIGMOID_H_
#define OPENMMFLOW_SIGMOID_H_

#include "Lanes.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

/**
 * 1 + e^-a in single precision, which networks need more often than anything else, to 1e-7 of it: a power of
 * two, 2^(m/8) 2^(f/8) with whole m and |f| <= 1/2. The first factor has one of 8 mantissas, picked by the
 * lowest bits of m, of whose bits those of m have been subtracted in advance; the second is the polynomial
 * that is nearest, to 2e-8 of it.
 */
#if defined(__AVX2__)
[[gnu::always_inline]] inline Lanes onePlusExponential(Lanes a) {
    const Lanes limit = 87.0, shift = 12582912.0, scale = -8 * 1.44269504088896341;
    a = maximum(-limit, minimum(limit, a));
    const Lanes shifted = a * scale + shift;
    const Lanes f = a * scale - (shifted - shift);
    Lanes y = Lanes(1.0839629391e-4) * f + Lanes(3.7541261831e-3);
    y = y * f + Lanes(8.6643401066e-2);
    y = y * f + Lanes(9.9999998166e-1);
#if defined(__AVX512F__)
    const __m512i mantissas = _mm512_setr_epi32(
        0x3f800000, 0x3f7b95c2, 0x3f7837f0, 0x3f75fed7, 0x3f7504f3, 0x3f75672a, 0x3f7744fd, 0x3f7ac0c7,
        0x3f800000, 0x3f7b95c2, 0x3f7837f0, 0x3f75fed7, 0x3f7504f3, 0x3f75672a, 0x3f7744fd, 0x3f7ac0c7);
    const Mask mantissa = (Mask)_mm512_permutexvar_epi32((__m512i)shifted.v, mantissas);
#else
    const __m256i mantissas = _mm256_setr_epi32(0x3f800000, 0x3f7b95c2, 0x3f7837f0, 0x3f75fed7, 0x3f7504f3,
                                                0x3f75672a, 0x3f7744fd, 0x3f7ac0c7);
    const Mask mantissa = (Mask)_mm256_permutevar8x32_epi32(mantissas, (__m256i)shifted.v);
#endif
    return Lanes((Vector)(mantissa + ((Mask)shifted.v << 20))) * y + Lanes(1.0);
}
#else
[[gnu::always_inline]] inline Lanes onePlusExponential(Lanes a) {
    // Without a permutation of lanes by numbers: 2^n 2^f with a polynomial to 8e-8.
    const Lanes limit = 87.0, shift = 12582912.0;
    const Lanes t = maximum(-limit, minimum(limit, a)) * Lanes(-1.44269504088896341);
    const Lanes shifted = t + shift;
    const Lanes f = t - (shifted - shift);
    Lanes y = Lanes(1.3276471520e-3) * f + Lanes(9.6755413307e-3);
    y = y * f + Lanes(5.5507132750e-2);
    y = y * f + Lanes(2.4022119724e-1);
    y = y * f + Lanes(6.9314696706e-1);
    y = y * f + Lanes(1.0000000717);
    return Lanes((Vector)((Mask)y.v + ((Mask)shifted.v << 23))) + Lanes(1.0);
}
#endif

/** a/b of a normal positive b. Divisions of 16 numbers take so long that a guess and Newton's method are
 * faster; those of 8 are done while the units for sums and products do something else. */
[[gnu::always_inline]] inline Lanes quotient(Lanes a, Lanes b) {
#if defined(__AVX512F__)
    return a * RECIP(b);
#else
    return a / b;
#endif
}

/** 1/(1 + e^-a), and a times that. */
[[gnu::always_inline]] inline Lanes SIGMOID(Lanes a) {
    if constexpr (sizeof(Scalar) == 4)
        return quotient(1.0, onePlusExponential(a));
    else
        return Lanes(1.0) / (Lanes(1.0) + exponential(-a));
}
[[gnu::always_inline]] inline Lanes SILU(Lanes a) {
    if constexpr (sizeof(Scalar) == 4)
        return quotient(a, onePlusExponential(a));
    else
        return a / (Lanes(1.0) + exponential(-a));
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_SIGMOID_H_*/
