#ifndef OPENMMFLOW_SPLINESHAPES_H_
#define OPENMMFLOW_SPLINESHAPES_H_

#include <type_traits>

#include "Lanes.h"
#include "openmmflow/internal/InternalFlowModel.h"
#include "shared/SplineOffset.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

/** The shape of the splines of linear or circular coordinates. */
inline SplineShape makeSplineShape(const InternalFlowModel::Configuration& options, bool circular) {
    const double bound = options.getBound(circular);
    return {options.getBins(circular),
            -bound,
            bound,
            options.minBinFraction,
            options.minDerivative,
            getSplineDerivativeOffset(options.minDerivative)};
}

/**
 * Call function(shape, bins, ends). What is usual comes as constants, for which the function is compiled by
 * itself, so that loops over bins unroll. It has to set shape.bins to `bins`: a shape that is handed to a
 * function which is not inlined has no constants.
 */
template <class Function>
void withConstants(SplineShape shape, bool circular, const Function& function) {
    using Tails = std::integral_constant<int, SPLINE_IDENTITY_TAILS>;
    using Circular = std::integral_constant<int, SPLINE_CIRCULAR>;
    using Four = std::integral_constant<int, 4>;
    using Eight = std::integral_constant<int, 8>;
    if (circular && shape.bins == Eight::value)
        function(shape, Eight(), Circular());
    else if (!circular && shape.bins == Four::value)
        function(shape, Four(), Tails());
    else if (!circular && shape.bins == Eight::value)
        function(shape, Eight(), Tails());
    else
        function(shape, shape.bins, circular ? SPLINE_CIRCULAR : SPLINE_IDENTITY_TAILS);
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_SPLINESHAPES_H_*/
