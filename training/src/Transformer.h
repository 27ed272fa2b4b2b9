#ifndef OPENMMFLOW_TRANSFORMER_H_
#define OPENMMFLOW_TRANSFORMER_H_

#include <ATen/core/Tensor.h>

#include "ParameterTensors.h"
#include "openmmflow/internal/AugmentedCouplingModel.h"

namespace OpenMMFlow {

/** The network of one coupling of an AugmentedCouplingModel, composed of Torch operations. */
class Transformer {
public:
    Transformer(const AugmentedCouplingModel& model, const AugmentedCouplingModel::CouplingPlace& place);
    /**
     * Compute the parameters of the functions of coordinates.
     *
     * @param input   (B, N, inputs): the positions in the clouds that tell how, relative to the centre of the
     * first of them
     * @return (B, N, outputs)
     */
    at::Tensor evaluate(const ParameterTensors& parameters, const at::Tensor& input) const;

private:
    at::Tensor attend(const ParameterTensors& parameters, const AugmentedCouplingModel::BlockPlace& block,
                      const at::Tensor& x) const;
    AugmentedCouplingModel::CouplingPlace place;
    int64_t numTypes, numHeads, keySize;
    /** The type of each particle. */
    at::Tensor types;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TRANSFORMER_H_*/
