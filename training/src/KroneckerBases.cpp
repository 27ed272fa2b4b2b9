#include "KroneckerBases.h"

#include <algorithm>

#include <ATen/ATen.h>

using namespace OpenMMFlow;
using at::Tensor;

namespace {

const int64_t longest = 256;

}  // namespace

KroneckerBases::KroneckerBases(const std::vector<LayerPlace>& layers) {
    for (const LayerPlace& layer : layers)
        for (bool left : {true, false}) {
            const int64_t length = left ? layer.outputs : layer.inputs;
            if (length > longest)
                continue;
            sides.push_back({layer, left, length, size});
            size += length * length;
        }
}

Tensor KroneckerBases::getSquare(const Tensor& array, const Side& side) {
    return array.narrow(0, side.place, side.length * side.length).view({side.length, side.length});
}

Tensor KroneckerBases::getMatrix(const Tensor& array, const LayerPlace& layer) {
    return array.narrow(0, (int64_t)layer.weight, (int64_t)layer.outputs * layer.inputs)
        .view({layer.outputs, layer.inputs});
}

void KroneckerBases::average(Tensor& averages, const Tensor& gradient, double fraction) const {
    for (const Side& side : sides) {
        const Tensor matrix = getMatrix(gradient, side.layer);
        const Tensor product = side.left ? at::mm(matrix, matrix.t()) : at::mm(matrix.t(), matrix);
        getSquare(averages, side).lerp_(product, fraction);
    }
}

void KroneckerBases::solve(Tensor& bases, const Tensor& averages) const {
    for (const Side& side : sides) {
        const Tensor vectors = std::get<1>(at::linalg_eigh(getSquare(averages, side)));
        // The orthogonal iteration has the largest eigenvalue first.
        getSquare(bases, side).copy_(vectors.flip(1));
    }
}

void KroneckerBases::refine(Tensor& bases, const Tensor& averages) const {
    for (const Side& side : sides) {
        Tensor basis = getSquare(bases, side);
        basis.copy_(std::get<0>(at::linalg_qr(at::mm(getSquare(averages, side), basis))));
    }
}

template <class Multiply>
Tensor KroneckerBases::transform(const Tensor& parameters, const Multiply& multiply) const {
    Tensor result = parameters.clone();
    for (const Side& side : sides) {
        Tensor matrix = getMatrix(result, side.layer);
        matrix.copy_(multiply(matrix, side));
    }
    return result;
}

Tensor KroneckerBases::rotate(const Tensor& parameters, const Tensor& bases) const {
    return transform(parameters, [&](const Tensor& matrix, const Side& side) {
        const Tensor basis = getSquare(bases, side);
        return side.left ? at::mm(basis.t(), matrix) : at::mm(matrix, basis);
    });
}

Tensor KroneckerBases::rotateBack(const Tensor& parameters, const Tensor& bases) const {
    return transform(parameters, [&](const Tensor& matrix, const Side& side) {
        const Tensor basis = getSquare(bases, side);
        return side.left ? at::mm(basis, matrix) : at::mm(matrix, basis.t());
    });
}
