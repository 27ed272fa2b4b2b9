#ifndef OPENMMFLOW_PACKEDLAYERS_H_
#define OPENMMFLOW_PACKEDLAYERS_H_

#include <cstddef>
#include <utility>

#include "PanelMatrix.h"
#include "openmmflow/internal/InternalFlowModel.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

/** A dense layer, some of its outputs, or its transpose, wherever its numbers stand. */
struct LayerView {
    int inputs, outputs;
    LayerView(const DenseLayer& layer)
        : LayerView(layer.inputs, layer.outputs, layer.weight.data(), layer.bias.data()) {}
    /** Of a layer that has biases. */
    LayerView(const LayerPlace& place, const double* parameters)
        : LayerView(place.inputs, place.outputs, parameters + place.weight, parameters + place.bias) {}
    /** Get outputs first ... first+count-1. */
    LayerView select(int first, int count) const {
        LayerView view = *this;
        view.outputs = count;
        view.weights += first * rowStride;
        view.biases += first;
        return view;
    }
    /** Get the transposed weights, without biases, for the way back. */
    LayerView transpose() const {
        LayerView view = *this;
        std::swap(view.inputs, view.outputs);
        std::swap(view.rowStride, view.columnStride);
        view.biases = nullptr;
        return view;
    }
    double weight(int i, int j) const { return weights[i * rowStride + j * columnStride]; }
    double bias(int i) const { return biases != nullptr ? biases[i] : 0; }

private:
    LayerView(int inputs, int outputs, const double* weights, const double* biases)
        : inputs(inputs),
          outputs(outputs),
          weights(weights),
          biases(biases),
          rowStride(inputs),
          columnStride(1) {}
    const double *weights, *biases;
    size_t rowStride, columnStride;
};

/** A layer as a PanelMatrix or a VectorMatrix. */
template <class Matrix>
Matrix packLayer(const LayerView& layer) {
    return Matrix(
        layer.outputs, layer.inputs, [&](int i, int j) { return layer.weight(i, j); },
        [&](int i) { return layer.bias(i); });
}

/** The same of a matrix that a layer of this size was packed into before. */
inline void repackLayer(const LayerView& layer, PanelMatrix& matrix) {
    matrix.assign([&](int i, int j) { return layer.weight(i, j); }, [&](int i) { return layer.bias(i); });
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_PACKEDLAYERS_H_*/
