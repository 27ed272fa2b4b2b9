#ifndef OPENMMFLOW_EQUIVARIANTNETWORK_H_
#define OPENMMFLOW_EQUIVARIANTNETWORK_H_

#include <utility>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

#include "ParameterTensors.h"
#include "openmmflow/internal/EquivariantCouplingModel.h"

namespace OpenMMFlow {

/**
 * The network of one coupling of an EquivariantCouplingModel, composed of Torch operations. B samples of N
 * particles, V vectors each, in D dimensions; lengths are in units of `lengthUnit`.
 */
class EquivariantNetwork {
public:
    EquivariantNetwork(const EquivariantCouplingModel& model,
                       const EquivariantCouplingModel::CouplingPlace& place);
    struct Result {
        /** (B, N, V, D): how far each vector has moved. */
        at::Tensor moves;
        /** (B, N, features): what the heads take. */
        at::Tensor headInput;
    };
    /** @param points   (B, N, S, D): the clouds that tell how the others are transformed */
    Result evaluate(const ParameterTensors& parameters, const at::Tensor& points) const;
    /** Apply the head of a repeat to what it takes: (B, N, outputs). */
    at::Tensor applyHead(const ParameterTensors& parameters, int repeat, const at::Tensor& headInput) const;

private:
    using Block = EquivariantCouplingModel::BlockPlace;
    /** The sums over neighbours: messages (B, N, hidden), and moves of the vectors (B, N, V, D).
     *
     * @param displacements   (B, N, N-1, S or V, D): of each particle from all others
     */
    std::pair<at::Tensor, at::Tensor> applyEdges(const ParameterTensors& parameters, const Block& block,
                                                 const at::Tensor& nodeInput, const at::Tensor& displacements,
                                                 bool isFirst) const;
    /** From (B, N, ...) to what all others have of it, (B, N, N-1, ...). */
    at::Tensor takeOthers(const at::Tensor& x) const;
    /** (B, N, N-1, ...) */
    at::Tensor subtractOthers(const at::Tensor& x) const { return x.unsqueeze(2) - takeOthers(x); }
    EquivariantCouplingModel::CouplingPlace place;
    int numTypes;
    int64_t numOthers;
    /** For each particle, all others. */
    at::Tensor others;
    /** The type of each particle, and the cloud that each vector starts on, of those that tell how. */
    at::Tensor types, sources;
    /** For the pairs of vectors k < l, which element of a (V, V) matrix they are; for the elements of such a
     * matrix, which output of `cross` belongs to them. */
    at::Tensor pairs, crossOutputs;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_EQUIVARIANTNETWORK_H_*/
