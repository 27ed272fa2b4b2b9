#ifndef OPENMMFLOW_COORDINATESAMPLES_H_
#define OPENMMFLOW_COORDINATESAMPLES_H_

#include <array>
#include <cstdint>
#include <vector>

#include "openmmflow/internal/InternalFlowModel.h"

namespace OpenMMFlow {

/** Draw a point (D) of the base of an internal-coordinate flow; the same for a sample as on all platforms. */
std::vector<double> drawCoordinateBase(const InternalFlowModel& model, uint64_t seed, uint64_t index);
/** Draw the orientation of a sample; the same as on all platforms. */
std::array<double, 4> drawSampleOrientation(const InternalFlowModel& model, uint64_t seed, uint64_t index);
/**
 * Place the atoms of a sample.
 *
 * @param coordinates   (D): standardised linear ones, and circular ones in radians
 * @param orientation   a quaternion of any length
 * @param positions     (N, 3): on exit, in nm
 * @return whether the sample is inside the support
 */
bool placeSample(const InternalFlowModel& model, const std::vector<double>& coordinates,
                 const std::array<double, 4>& orientation, double* positions);
/**
 * Compute log |dx/dc|: the log density of coordinates c minus log q(x).
 *
 * @param coordinates   (D)
 * @param gradient      (D): on exit, its gradient by the coordinates
 */
double computeCoordinateVolume(const InternalFlowModel& model, const double* coordinates, double* gradient);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_COORDINATESAMPLES_H_*/
