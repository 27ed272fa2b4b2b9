#ifndef OPENMMFLOW_AUGMENTEDCOUPLINGMODULE_H_
#define OPENMMFLOW_AUGMENTEDCOUPLINGMODULE_H_

#include <memory>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "JointPoints.h"
#include "Transformer.h"
#include "openmmflow/internal/AugmentedCouplingModel.h"

namespace OpenMMFlow {

/**
 * An AugmentedCouplingModel as differentiable functions of its parameters, which form one flat tensor,
 * composed of Torch operations.
 *
 * Joint configurations (x, a) are (B, N+A, 3), x first, in nm; in two dimensions every z is ignored, and 0 in
 * results. A function computes in the precision and on the device of its parameters.
 */
class AugmentedCouplingModule {
public:
    AugmentedCouplingModule(std::shared_ptr<const AugmentedCouplingModel> model, at::ScalarType type);
    /** Get the parameters of the model, as one flat tensor that is laid out as the model says. */
    at::Tensor getParameters() const;
    /** Create a model with the particles, base and options of the original one and these parameters. */
    std::shared_ptr<const AugmentedCouplingModel> createModel(const at::Tensor& parameters) const;
    /**
     * Compute the joint log density log q(x,a), in nm.
     *
     * @param parameters   (P): flat, as getParameters() returns them
     * @param joint        (B, N+A, 3), with any centre
     * @return (B)
     */
    at::Tensor logDensity(const at::Tensor& parameters, const at::Tensor& joint) const;
    /**
     * The flow as a map.
     *
     * @param parameters   (P)
     * @param base         (B, N+A, 3): joint configurations of the base, with any centre
     * @return joint configurations (B, N+A, 3) with the centre of x at the origin, and their log density (B)
     */
    std::pair<at::Tensor, at::Tensor> transform(const at::Tensor& parameters, const at::Tensor& base) const;

private:
    /** Samples on their way: points (B, N, clouds, D) in units of `lengthUnit`, and sums (B). */
    struct State {
        at::Tensor points, logDensity;
    };
    struct Coupling {
        Transformer network;
        at::Tensor transformed, conditioning;
    };
    void applyScaling(SplineDirection direction, const ParameterTensors& parameters, int layer,
                      State& state) const;
    void applyCoupling(SplineDirection direction, const ParameterTensors& parameters,
                       const Coupling& coupling, State& state) const;
    std::shared_ptr<const AugmentedCouplingModel> model;
    at::ScalarType type;
    JointPoints jointPoints;
    std::vector<Coupling> couplings;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_AUGMENTEDCOUPLINGMODULE_H_*/
