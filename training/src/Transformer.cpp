#include "Transformer.h"

#include <cmath>

#include <ATen/ATen.h>

#include "Indices.h"

using namespace OpenMMFlow;
using at::Tensor;

static Tensor normalize(const Tensor& x) {
    return at::layer_norm(x, {x.size(-1)});
}

Transformer::Transformer(const AugmentedCouplingModel& model,
                         const AugmentedCouplingModel::CouplingPlace& place)
    : place(place),
      numTypes(model.getNumTypes()),
      numHeads(model.getOptions().attentionHeads),
      keySize(model.getOptions().keySize) {
    types = toIndices(model.getParticles().types);
}

Tensor Transformer::attend(const ParameterTensors& parameters,
                           const AugmentedCouplingModel::BlockPlace& block, const Tensor& x) const {
    // (B, heads, N, features of a head)
    auto project = [&](const LayerPlace& layer) {
        return parameters.apply(layer, x).view({x.size(0), x.size(1), numHeads, keySize}).transpose(1, 2);
    };
    const Tensor logits = at::matmul(project(block.query), project(block.key).transpose(2, 3));
    const Tensor weights = at::softmax(logits / std::sqrt((double)keySize), -1);
    const Tensor sums = at::matmul(weights, project(block.value)).transpose(1, 2);
    return parameters.apply(block.attention, sums.reshape(x.sizes()));
}

Tensor Transformer::evaluate(const ParameterTensors& parameters, const Tensor& input) const {
    const Tensor embeddings = parameters.at(place.embedding).view({numTypes, numHeads * keySize});
    Tensor h =
        at::silu(parameters.apply(place.input, input) + embeddings.index_select(0, types.to(input.device())));
    for (const auto& block : place.blocks) {
        h = h + attend(parameters, block, normalize(h));
        h = h + parameters.apply(block.output, parameters.apply(block.feedForward, normalize(h)));
    }
    return parameters.apply(place.output, parameters.apply(place.head, h));
}
