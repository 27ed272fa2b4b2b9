#ifndef OPENMMFLOW_INTERNALFLOWMODULE_H_
#define OPENMMFLOW_INTERNALFLOWMODULE_H_

#include <memory>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "SplineComposition.h"
#include "SplineLayout.h"
#include "openmmflow/internal/InternalFlowModel.h"

namespace OpenMMFlow {

/**
 * An InternalFlowModel as differentiable functions of its parameters, composed of Torch operations: what the
 * kernels are tested against, and what training on other devices computes.
 *
 * The parameters of all couplings form one flat tensor, so that the optimiser, the moving average and a
 * checkpoint each deal with one array. Coordinates are arrays (coordinate, sample). A function computes in
 * the precision and on the device of its parameters, which those of the coordinates must be.
 */
class InternalFlowModule {
public:
    InternalFlowModule(std::shared_ptr<const InternalFlowModel> model, at::ScalarType type);
    /** Get the parameters of the model, as one flat tensor. */
    at::Tensor getParameters() const;
    /** Create a model with the coordinates and masks of the original one and these parameters. */
    std::shared_ptr<const InternalFlowModel> createModel(const at::Tensor& parameters) const;
    /**
     * Take coordinates to the base.
     *
     * @param parameters    (P), as for logDensity()
     * @param coordinates   (D, B), as for logDensity()
     * @return the coordinates in the base (D, B), in an order of the module's own, and the log-determinant
     * (B)
     */
    std::pair<at::Tensor, at::Tensor> toBase(const at::Tensor& parameters,
                                             const at::Tensor& coordinates) const;
    /**
     * Take points of the base to coordinates.
     *
     * @param parameters   (P), as for logDensity()
     * @param base         (D, B), as toBase() returns them
     * @return the coordinates (D, B), in the model's order
     */
    at::Tensor fromBase(const at::Tensor& parameters, const at::Tensor& base) const;
    /** Put points of the base (D, B) from the model's order into that of toBase(). */
    at::Tensor orderBase(const at::Tensor& base) const;
    /**
     * Compute the log density with respect to the standardised coordinates.
     *
     * @param parameters    (P): flat, as getParameters() returns them
     * @param coordinates   (D, B): standardised linear coordinates, and circular ones in radians, in the
     * model's order
     * @return (B)
     */
    at::Tensor logDensity(const at::Tensor& parameters, const at::Tensor& coordinates) const;

private:
    /** A layer's place in the flat tensor, and the order in which its rows and columns stand there. */
    struct Layer {
        int64_t outputs, inputs;
        /** For each row or column here, that of the model; -1 for a placeholder. Empty: the same order. */
        std::vector<int> rows, columns;
    };
    struct Coupling {
        /** Of the transformed coordinates, the circular and then the linear ones, if there are any. */
        std::vector<SplineLayout> splines;
        /** The numbers of conditioning coordinates. */
        int64_t circularCoordinates, linearCoordinates;
        /** For each row that enters the coupling (transformed first), the row that the coupling before it
         * left; and the inverse of this permutation. */
        at::Tensor order, inverseOrder;
        size_t firstLayer, numBlocks;
    };
    /** All rows, of which those that a coupling transforms are mapped, and the logarithm of the volume (B).
     */
    std::pair<at::Tensor, at::Tensor> mapCoupling(SplineDirection direction, const Coupling& coupling,
                                                  const std::vector<at::Tensor>& parts,
                                                  const at::Tensor& x) const;
    void addLayer(const DenseLayer& layer, std::vector<int> rows, std::vector<int> columns);
    at::Tensor conditioner(const Coupling& coupling, const std::vector<at::Tensor>& parts,
                           const at::Tensor& conditioning) const;
    std::shared_ptr<const InternalFlowModel> model;
    at::ScalarType type;
    std::vector<Layer> layers;
    std::vector<int64_t> partSizes;
    std::vector<Coupling> couplings;
    /** The coordinate of each row after the last coupling has been inverted, and the rows of linear ones. */
    at::Tensor baseRows, linearRows;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_INTERNALFLOWMODULE_H_*/
