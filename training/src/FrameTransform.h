#ifndef OPENMMFLOW_FRAMETRANSFORM_H_
#define OPENMMFLOW_FRAMETRANSFORM_H_

#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "SplineComposition.h"
#include "openmmflow/internal/EquivariantCouplingModel.h"

namespace OpenMMFlow {

/**
 * What the couplings of an EquivariantCouplingModel do to points in their frames, composed of Torch
 * operations. B samples of N particles, T clouds that are transformed, in D dimensions; lengths are in units
 * of `lengthUnit`.
 */
class FrameTransform {
public:
    explicit FrameTransform(const EquivariantCouplingModel& model);
    /**
     * Map points in frames, or back.
     *
     * @param points       (B, N, T, D): from the origins of the frames
     * @param axes         (B, N, T, A, D): the vectors that the axes are made of, A = getNumAxes()
     * @param parameters   (B, N, outputs of a head)
     * @return the points (B, N, T, D), and the log of the volume of all together (B)
     */
    std::pair<at::Tensor, at::Tensor> map(SplineDirection direction, const at::Tensor& points,
                                          const at::Tensor& axes, const at::Tensor& parameters) const;
    /** Get the number of vectors, beside the origin, that make a frame. */
    int getNumAxes() const { return numAxes; }

private:
    using Kind = EquivariantCouplingModel::Transform;
    std::pair<std::vector<at::Tensor>, at::Tensor> applyFunctions(SplineDirection direction,
                                                                  std::vector<at::Tensor> values,
                                                                  const at::Tensor& parameters) const;
    std::pair<at::Tensor, at::Tensor> mapAlong(SplineDirection direction, const at::Tensor& points,
                                               const at::Tensor& parameters) const;
    Kind kind;
    int dimensions, numAxes, numParameters;
    SplineShapes shapes;
    /** Which coordinate a reflection reverses, and has an odd function; -1 for none. */
    int odd;
};

/**
 * How far from being a frame pairs of vectors are, as a penalty: -log(1 - |cos|) of the angle between them,
 * and 0 where 1 - |cos| < 1e-4, whose gradient would be large (Midgley et al. 2023, section 3.3).
 *
 * @param axes   (..., 2, 3)
 * @return (...)
 */
at::Tensor computeCollinearity(const at::Tensor& axes);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FRAMETRANSFORM_H_*/
