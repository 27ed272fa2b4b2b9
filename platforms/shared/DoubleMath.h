#ifndef OPENMMFLOW_DOUBLEMATH_H_
#define OPENMMFLOW_DOUBLEMATH_H_

#include <cmath>
#include <cstddef>

/**
 * The shared maths as ordinary C++ on doubles. The .cc files are kept inside the C subset that OpenMM's
 * common compute language has (no templates, references, overloads or methods), so that the same text also
 * compiles for SIMD lanes and for GPUs: whoever includes them says what `real` is and what these names mean.
 */
namespace OpenMMFlow {
namespace shared {

using real = double;

inline real EXP(real x) {
    return std::exp(x);
}
inline real LOG(real x) {
    return std::log(x);
}
/** Of a normal positive number. */
inline real LOG_NORMAL(real x) {
    return std::log(x);
}
inline real SQRT(real x) {
    return std::sqrt(x);
}
/** 1/x and 1/sqrt(x), of normal positive numbers. */
inline real RECIP(real x) {
    return 1 / x;
}
inline real RSQRT(real x) {
    return 1 / std::sqrt(x);
}
inline real SIGMOID(real x) {
    return 1 / (1 + std::exp(-x));
}
inline real SILU(real x) {
    return x / (1 + std::exp(-x));
}
inline real SIN(real x) {
    return std::sin(x);
}
inline real COS(real x) {
    return std::cos(x);
}
inline real ATAN2(real y, real x) {
    return std::atan2(y, x);
}
inline real FLOOR(real x) {
    return std::floor(x);
}
inline real FABS(real x) {
    return std::fabs(x);
}
inline real SELECT(bool condition, real a, real b) {
    return condition ? a : b;
}

/** table[index]; the first number for an index that is not a number. */
inline real gather(const double* table, real index) {
    return table[index >= 0 ? (std::size_t)index : 0];
}

/** A sum in at least double precision. */
class WideSum {
public:
    void add(real x) { sum += x; }
    double get() const { return sum; }

private:
    double sum = 0;
};

#define DEVICE [[maybe_unused]] static inline
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

}  // namespace shared
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_DOUBLEMATH_H_*/
