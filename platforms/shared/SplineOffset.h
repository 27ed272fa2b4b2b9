#ifndef OPENMMFLOW_SPLINEOFFSET_H_
#define OPENMMFLOW_SPLINEOFFSET_H_

#include <cmath>

namespace OpenMMFlow {

/** Get the d for which softplus(u + d) + minDerivative is 1 at u = 0, where a spline is the identity. */
inline double getSplineDerivativeOffset(double minDerivative) {
    return std::log(std::expm1(1 - minDerivative));
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_SPLINEOFFSET_H_*/
