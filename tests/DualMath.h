#ifndef OPENMMFLOW_TESTS_DUALMATH_H_
#define OPENMMFLOW_TESTS_DUALMATH_H_

#include <cmath>

/**
 * The shared maths on dual numbers: every function gives its derivative in one direction along with its
 * value, by the rules of calculus and to round-off.
 */
namespace OpenMMFlow {
namespace duals {

struct Dual {
    double value, derivative;
    Dual() : Dual(0.0) {}
    Dual(double value) : value(value), derivative(0) {}
    Dual(double value, double derivative) : value(value), derivative(derivative) {}
};

using real = Dual;

inline Dual operator+(Dual a, Dual b) {
    return {a.value + b.value, a.derivative + b.derivative};
}
inline Dual operator-(Dual a, Dual b) {
    return {a.value - b.value, a.derivative - b.derivative};
}
inline Dual operator-(Dual a) {
    return {-a.value, -a.derivative};
}
inline Dual operator*(Dual a, Dual b) {
    return {a.value * b.value, a.derivative * b.value + a.value * b.derivative};
}
inline Dual operator/(Dual a, Dual b) {
    return {a.value / b.value, (a.derivative - a.value / b.value * b.derivative) / b.value};
}
inline bool operator<(Dual a, Dual b) {
    return a.value < b.value;
}
inline bool operator>(Dual a, Dual b) {
    return a.value > b.value;
}
inline bool operator>=(Dual a, Dual b) {
    return a.value >= b.value;
}
inline Dual chain(double value, double slope, Dual x) {
    return {value, slope * x.derivative};
}
inline Dual EXP(Dual x) {
    return chain(std::exp(x.value), std::exp(x.value), x);
}
inline Dual LOG(Dual x) {
    return chain(std::log(x.value), 1 / x.value, x);
}
inline Dual LOG_NORMAL(Dual x) {
    return LOG(x);
}
inline Dual SQRT(Dual x) {
    const double root = std::sqrt(x.value);
    return chain(root, 0.5 / root, x);
}
inline Dual RECIP(Dual x) {
    return Dual(1) / x;
}
inline Dual RSQRT(Dual x) {
    return Dual(1) / SQRT(x);
}
inline Dual SIGMOID(Dual x) {
    return RECIP(Dual(1) + EXP(-x));
}
inline Dual SILU(Dual x) {
    return x * SIGMOID(x);
}
inline Dual SIN(Dual x) {
    return chain(std::sin(x.value), std::cos(x.value), x);
}
inline Dual COS(Dual x) {
    return chain(std::cos(x.value), -std::sin(x.value), x);
}
inline Dual ATAN2(Dual y, Dual x) {
    const double square = x.value * x.value + y.value * y.value;
    return {std::atan2(y.value, x.value), (x.value * y.derivative - y.value * x.derivative) / square};
}
inline Dual FLOOR(Dual x) {
    return std::floor(x.value);
}
inline Dual FABS(Dual x) {
    return x.value < 0 ? -x : x;
}
inline Dual SELECT(bool condition, Dual a, Dual b) {
    return condition ? a : b;
}

class WideSum {
public:
    void add(Dual x) { sum = sum + x; }
    Dual get() const { return sum; }

private:
    Dual sum;
};

#define DEVICE [[maybe_unused]] static inline
#include "shared/real3.h"

#include "shared/internalCoordinates.cc"

#include "shared/frames.cc"
#include "shared/rationalQuadraticSpline.cc"
#include "shared/rationalQuadraticSplineAdjoint.cc"
#undef DEVICE

}  // namespace duals
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TESTS_DUALMATH_H_*/
