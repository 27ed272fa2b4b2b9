#ifndef OPENMMFLOW_JOINTPOINTS_H_
#define OPENMMFLOW_JOINTPOINTS_H_

#include <ATen/core/Tensor.h>

#include "SplineComposition.h"
#include "openmmflow/internal/CouplingModel.h"

namespace OpenMMFlow {

/**
 * What coupling flows of all families do to joint configurations, composed of Torch operations. Points are
 * (B, N, clouds, D), in units of `lengthUnit`.
 */
class JointPoints {
public:
    JointPoints(const CouplingModel& model, const CouplingModel::Configuration& configuration);
    /** From (B, N+A, 3) in nm, with any centre, to points with that of x at the origin; in the precision and
     * on the device of `like`. */
    at::Tensor load(const at::Tensor& joint, const at::Tensor& like) const;
    /** The way back. */
    at::Tensor store(const at::Tensor& points) const;
    /** The log density of the base (B), in nm. */
    at::Tensor baseLogDensity(const at::Tensor& points) const;
    /** Scale points with the logits (2 clouds - 1) of a layer, or back, and subtract the log volume of the
     * former from `logDensity` (B). */
    void scale(SplineDirection direction, const at::Tensor& logits, at::Tensor& points,
               at::Tensor& logDensity) const;

private:
    int64_t numParticles, numClouds, dimensions;
    double lengthUnit, augmentedScale, minDerivative, logNormalization;
    /** (N, N): the precision of the base, in units of `lengthUnit`. */
    at::Tensor precision;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_JOINTPOINTS_H_*/
