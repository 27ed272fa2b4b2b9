#ifndef OPENMMFLOW_SPLINESHAPES_H_
#define OPENMMFLOW_SPLINESHAPES_H_

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

/** Call function(shape). The usual numbers of bins are constants in copies of their own, so that loops over
 * bins unroll. */
template <class Function>
void withConstantBins(SplineShape shape, const Function& function) {
    if (shape.bins == 8) {
        shape.bins = 8;
        function(shape);
    } else if (shape.bins == 4) {
        shape.bins = 4;
        function(shape);
    } else
        function(shape);
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_SPLINESHAPES_H_*/
