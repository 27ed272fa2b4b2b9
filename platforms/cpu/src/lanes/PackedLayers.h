#ifndef OPENMMFLOW_PACKEDLAYERS_H_
#define OPENMMFLOW_PACKEDLAYERS_H_

#include "openmmflow/internal/InternalFlowModel.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

/** Outputs first ... first+outputs-1 of a layer, as a PanelMatrix or a VectorMatrix. */
template <class Matrix>
Matrix packOutputs(const DenseLayer& layer, int first, int outputs) {
    return Matrix(
        outputs, layer.inputs,
        [&](int i, int j) { return layer.weight[(size_t)(first + i) * layer.inputs + j]; },
        [&](int i) { return layer.bias[first + i]; });
}

/** A whole layer. */
template <class Matrix>
Matrix packLayer(const DenseLayer& layer) {
    return packOutputs<Matrix>(layer, 0, layer.outputs);
}

/** The transposed weights of a layer, for the way back. */
template <class Matrix>
Matrix packTransposed(const DenseLayer& layer) {
    return Matrix(
        layer.inputs, layer.outputs, [&](int i, int j) { return layer.weight[(size_t)j * layer.inputs + i]; },
        [](int) { return 0.0; });
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_PACKEDLAYERS_H_*/
