#ifndef OPENMMFLOW_PACKEDLAYERS_H_
#define OPENMMFLOW_PACKEDLAYERS_H_

#include "PanelMatrix.h"
#include "openmmflow/internal/InternalFlowModel.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

/** A dense layer that has biases, or some of its outputs, wherever its numbers stand. */
struct LayerView {
    int inputs, outputs;
    const double *weights, *biases;
    LayerView(const DenseLayer& layer)
        : inputs(layer.inputs),
          outputs(layer.outputs),
          weights(layer.weight.data()),
          biases(layer.bias.data()) {}
    LayerView(const LayerPlace& place, const double* parameters)
        : inputs(place.inputs),
          outputs(place.outputs),
          weights(parameters + place.weight),
          biases(parameters + place.bias) {}
    /** Get outputs first ... first+count-1. */
    LayerView select(int first, int count) const {
        LayerView view = *this;
        view.outputs = count;
        view.weights += (size_t)first * inputs;
        view.biases += first;
        return view;
    }
    double weight(int i, int j) const { return weights[(size_t)i * inputs + j]; }
    double bias(int i) const { return biases[i]; }
};

/** A layer as a PanelMatrix or a VectorMatrix. */
template <class Matrix>
Matrix packLayer(const LayerView& layer) {
    return Matrix(
        layer.outputs, layer.inputs, [&](int i, int j) { return layer.weight(i, j); },
        [&](int i) { return layer.bias(i); });
}

/** The transposed weights of a layer, for the way back. */
template <class Matrix>
Matrix packTransposed(const LayerView& layer) {
    return Matrix(
        layer.inputs, layer.outputs, [&](int i, int j) { return layer.weight(j, i); },
        [](int) { return 0.0; });
}

/** The same of a matrix that a layer of this size was packed into before. */
inline void repackLayer(const LayerView& layer, PanelMatrix& matrix) {
    matrix.assign([&](int i, int j) { return layer.weight(i, j); }, [&](int i) { return layer.bias(i); });
}
inline void repackTransposed(const LayerView& layer, PanelMatrix& matrix) {
    matrix.assign([&](int i, int j) { return layer.weight(j, i); }, [](int) { return 0.0; });
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_PACKEDLAYERS_H_*/
