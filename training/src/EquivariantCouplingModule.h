#ifndef OPENMMFLOW_EQUIVARIANTCOUPLINGMODULE_H_
#define OPENMMFLOW_EQUIVARIANTCOUPLINGMODULE_H_

#include <memory>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "EquivariantNetwork.h"
#include "FrameTransform.h"
#include "JointPoints.h"
#include "openmmflow/internal/EquivariantCouplingModel.h"

namespace OpenMMFlow {

/**
 * An EquivariantCouplingModel as differentiable functions of its parameters, which form one flat tensor,
 * composed of Torch operations.
 *
 * Joint configurations (x, a) are (B, N+A, 3), x first, in nm; in two dimensions every z is ignored, and 0 in
 * results. A function computes in the precision and on the device of its parameters.
 */
class EquivariantCouplingModule {
public:
    EquivariantCouplingModule(std::shared_ptr<const EquivariantCouplingModel> model, at::ScalarType type);
    /** Get the parameters of the model, as one flat tensor that is laid out as the model says. */
    at::Tensor getParameters() const;
    /** Create a model with the particles, base and options of the original one and these parameters. */
    std::shared_ptr<const EquivariantCouplingModel> createModel(const at::Tensor& parameters) const;
    /**
     * Compute the joint log density log q(x,a), in nm. It is not a finite number where a frame is degenerate.
     *
     * @param parameters   (P): flat, as getParameters() returns them
     * @param joint        (B, N+A, 3), with any centre
     * @param frameLoss    if not null, it is set to a penalty (B) against degenerate frames: the mean of
     * computeCollinearity() over particles, transformed clouds, repeats and couplings, or 0 for flows whose
     * frames have no two axes that could be collinear
     * @return (B)
     */
    at::Tensor logDensity(const at::Tensor& parameters, const at::Tensor& joint,
                          at::Tensor* frameLoss = nullptr) const;
    /**
     * The flow as a map.
     *
     * @param parameters   (P)
     * @param base         (B, N+A, 3): joint configurations of the base, with any centre
     * @param frameLoss    as for logDensity()
     * @return joint configurations (B, N+A, 3) with the centre of x at the origin, and their log density (B)
     */
    std::pair<at::Tensor, at::Tensor> transform(const at::Tensor& parameters, const at::Tensor& base,
                                                at::Tensor* frameLoss = nullptr) const;

private:
    /** Samples on their way: points (B, N, clouds, D) in units of `lengthUnit`, and sums (B). */
    struct State {
        at::Tensor points, logDensity, collinearity;
    };
    struct Coupling {
        EquivariantNetwork network;
        /** Clouds; `sources` are those that the frames of the transformed ones stand on. */
        at::Tensor transformed, conditioning, sources;
    };
    State load(const at::Tensor& parameters, const at::Tensor& joint) const;
    void applyScaling(SplineDirection direction, const ParameterTensors& parameters, int layer,
                      State& state) const;
    void applyCoupling(SplineDirection direction, const ParameterTensors& parameters,
                       const Coupling& coupling, State& state) const;
    at::Tensor frameLossOf(const State& state) const;
    bool canBeCollinear() const { return frameTransform.getNumAxes() == 2; }
    std::shared_ptr<const EquivariantCouplingModel> model;
    at::ScalarType type;
    FrameTransform frameTransform;
    JointPoints jointPoints;
    std::vector<Coupling> couplings;
    int64_t numParticles, dimensions;
    /** The number of frames of all couplings together. */
    int64_t numFrames = 0;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_EQUIVARIANTCOUPLINGMODULE_H_*/
