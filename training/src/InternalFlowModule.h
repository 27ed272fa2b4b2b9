#ifndef OPENMMFLOW_INTERNALFLOWMODULE_H_
#define OPENMMFLOW_INTERNALFLOWMODULE_H_

#include <memory>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "SplineLayout.h"
#include "openmmflow/internal/InternalFlowModel.h"

namespace OpenMMFlow {

/**
 * The density direction of an InternalFlowModel as a differentiable function of its parameters.
 *
 * The parameters of all couplings form one flat tensor, so that the optimiser, the moving average and a
 * checkpoint each deal with one array. Coordinates are arrays (coordinate, sample).
 */
class InternalFlowModule {
public:
    /** How the splines are computed: composed of Torch operations, or by the maths that the platforms share.
     */
    enum class Splines { Composed, Shared };
    InternalFlowModule(std::shared_ptr<const InternalFlowModel> model, at::ScalarType type,
                       Splines splines = Splines::Composed);
    /** Get the parameters of the model, as one flat tensor. */
    at::Tensor getParameters() const;
    /** Create a model with the coordinates and masks of the original one and these parameters. */
    std::shared_ptr<const InternalFlowModel> createModel(const at::Tensor& parameters) const;
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
        SplineLayout splines;
        /** Conditioning coordinates: circular and linear ones. */
        int64_t circularFeatures, linearFeatures;
        /** For each row that enters the coupling (transformed first), the row that the coupling before it
         * left. */
        at::Tensor order;
        size_t firstLayer, numBlocks;
    };
    void addLayer(const DenseLayer& layer, std::vector<int> rows, std::vector<int> columns);
    at::Tensor conditioner(const Coupling& coupling, const std::vector<at::Tensor>& parts,
                           const at::Tensor& conditioning) const;
    std::shared_ptr<const InternalFlowModel> model;
    at::ScalarType type;
    Splines splines;
    std::vector<Layer> layers;
    std::vector<int64_t> partSizes;
    std::vector<Coupling> couplings;
    /** The rows that are linear and circular after the last coupling has been inverted. */
    at::Tensor linearRows;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_INTERNALFLOWMODULE_H_*/
