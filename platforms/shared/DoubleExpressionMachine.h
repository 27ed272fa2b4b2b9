#ifndef OPENMMFLOW_DOUBLEEXPRESSIONMACHINE_H_
#define OPENMMFLOW_DOUBLEEXPRESSIONMACHINE_H_

#include <algorithm>
#include <vector>

#include "openmmflow/internal/ExpressionProgram.h"
#include "shared/DoubleMath.h"

/** ExpressionMachine on ordinary doubles. */
namespace OpenMMFlow {
namespace shared {

using Scalar = double;
constexpr int LANES = 1;

inline Scalar* LANE_VALUES(real& x) {
    return &x;
}
inline real FULL_EXP(real x) {
    return std::exp(x);
}
inline real POW(real x, real y) {
    return std::pow(x, y);
}
inline real TAN(real x) {
    return std::tan(x);
}
inline real ASIN(real x) {
    return std::asin(x);
}
inline real ACOS(real x) {
    return std::acos(x);
}
inline real ATAN(real x) {
    return std::atan(x);
}
inline real SINH(real x) {
    return std::sinh(x);
}
inline real COSH(real x) {
    return std::cosh(x);
}
inline real TANH(real x) {
    return std::tanh(x);
}
inline real ERF(real x) {
    return std::erf(x);
}
inline real ERFC(real x) {
    return std::erfc(x);
}

#include "shared/expressionMachine.cc"

}  // namespace shared
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_DOUBLEEXPRESSIONMACHINE_H_*/
