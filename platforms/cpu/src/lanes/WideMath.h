#ifndef OPENMMFLOW_WIDEMATH_H_
#define OPENMMFLOW_WIDEMATH_H_

#include "WideLanes.h"

/** The shared maths on WideLanes: for what would magnify the round-off of Lanes. */
namespace OpenMMFlow {
namespace LANE_NAMESPACE {
namespace wide {

using real = WideLanes;

#define DEVICE [[maybe_unused, gnu::always_inline]] static inline
#include "shared/real3.h"

#include "shared/internalCoordinates.cc"

#include "shared/frames.cc"
#include "shared/rationalQuadraticSpline.cc"
#include "shared/rationalQuadraticSplineAdjoint.cc"
#undef DEVICE

}  // namespace wide
}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_WIDEMATH_H_*/
