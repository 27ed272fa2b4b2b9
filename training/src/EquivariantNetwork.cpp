#include "EquivariantNetwork.h"

#include <cmath>

#include <ATen/ATen.h>

#include "Indices.h"

using namespace OpenMMFlow;
using at::Tensor;

namespace {

/** The square of the last dimension's vectors. */
Tensor squareOf(const Tensor& vectors) {
    return vectors.square().sum(-1);
}

/** The lengths of vectors of given squares; 1 for those without length, whose direction has no derivative,
 * and which are multiplied by zero. */
Tensor lengthOf(const Tensor& square) {
    return at::sqrt(square + (square.detach() == 0));
}

}  // namespace

EquivariantNetwork::EquivariantNetwork(const EquivariantCouplingModel& model,
                                       const EquivariantCouplingModel::CouplingPlace& place)
    : place(place), numTypes(model.getNumTypes()), numOthers(model.getNumParticles() - 1) {
    const int64_t numVectors = model.getNumVectors(place), numSources = (int64_t)place.conditioning.size();
    const int64_t vectorsPerCloud = numVectors / (int64_t)place.transformed.size();
    std::vector<int64_t> sourceOf, pairOf, outputOf;
    for (int64_t k = 0; k < numVectors; k++) {
        sourceOf.push_back(k / vectorsPerCloud % numSources);
        for (int64_t l = 0; l < numVectors; l++) {
            if (k < l)
                pairOf.push_back(k * numVectors + l);
            // A vector and itself are no pair; what stands there multiplies a difference of zero.
            outputOf.push_back(k == l ? 0 : k * (numVectors - 1) + l - (l > k));
        }
    }
    std::vector<int64_t> otherOf;
    for (int64_t i = 0; i <= numOthers; i++)
        for (int64_t j = 0; j <= numOthers; j++)
            if (j != i)
                otherOf.push_back(j);
    others = at::tensor(otherOf, at::kLong);
    types = toIndices(model.getParticles().types);
    sources = at::tensor(sourceOf, at::kLong);
    pairs = at::tensor(pairOf, at::kLong);
    crossOutputs = at::tensor(outputOf, at::kLong);
}

Tensor EquivariantNetwork::takeOthers(const Tensor& x) const {
    return x.index_select(1, others.to(x.device())).unflatten(1, {-1, numOthers});
}

std::pair<Tensor, Tensor> EquivariantNetwork::applyEdges(const ParameterTensors& parameters,
                                                         const Block& block, const Tensor& nodeInput,
                                                         const Tensor& displacements, bool isFirst) const {
    const double numEdges = (double)numOthers;
    const Tensor squares = squareOf(displacements);
    const Tensor argument = parameters.apply(block.distances, at::log1p(squares))
                            + parameters.apply(block.receiver, nodeInput).unsqueeze(2)
                            + takeOthers(parameters.apply(block.sender, nodeInput));
    const Tensor edges = parameters.finishResidual(block.edge, argument);
    const Tensor gates = at::sigmoid(parameters.apply(block.gate, edges));
    const Tensor messages = at::matmul(gates.transpose(2, 3), edges).squeeze(2) / std::sqrt(numEdges);
    const Tensor factors =
        parameters.apply(block.shiftOutput, parameters.apply(block.shift, edges)) / numEdges;
    Tensor directions = displacements / (1 + lengthOf(squares)).unsqueeze(-1);
    if (isFirst && displacements.size(3) == 1)
        return {messages, at::matmul(factors.transpose(2, 3), directions.squeeze(3))};
    if (isFirst)
        directions = directions.index_select(3, sources.to(directions.device()));
    return {messages, (factors.unsqueeze(-1) * directions).sum(2)};
}

EquivariantNetwork::Result EquivariantNetwork::evaluate(const ParameterTensors& parameters,
                                                        const Tensor& points) const {
    const at::Device device = points.device();
    const Tensor table = parameters.at(place.embedding).view({numTypes, -1});
    // The same for all samples, until messages have come in.
    Tensor features = table.index_select(0, types.to(device)).unsqueeze(0);
    const Tensor start = points.index_select(2, sources.to(device));
    const Tensor between = subtractOthers(points),
                 betweenStarts = between.index_select(3, sources.to(device));
    // Beside where vectors start, moves are small: a sum of both would round them off.
    Tensor moves = at::zeros_like(start);
    const double numOtherVectors = (double)start.size(2) - 1;
    for (size_t b = 0; b < place.blocks.size(); b++) {
        const Block& block = place.blocks[b];
        const bool hasCross = block.crossOutput.outputs > 0;
        Tensor nodeInput = features, differences, squares;
        if (hasCross) {
            differences = start.unsqueeze(3) - start.unsqueeze(2) + (moves.unsqueeze(3) - moves.unsqueeze(2));
            squares = squareOf(differences);
            const Tensor distances = squares.flatten(2).index_select(2, pairs.to(device));
            nodeInput = at::cat({features, at::log1p(distances)}, 2);
        }
        const Tensor displacements = b == 0 ? between : betweenStarts + subtractOthers(moves);
        const auto [messages, added] = applyEdges(parameters, block, nodeInput, displacements, b == 0);
        moves = moves + added;
        if (hasCross) {
            const Tensor outputs =
                parameters.apply(block.crossOutput, parameters.apply(block.cross, messages));
            const Tensor factors = outputs.index_select(2, crossOutputs.to(device)).view_as(squares);
            moves =
                moves + ((factors / (numOtherVectors * (1 + squares))).unsqueeze(-1) * differences).sum(3);
        }
        const Tensor input = at::cat({messages, features.expand({messages.size(0), -1, -1})}, 2);
        features = features + parameters.apply(block.nodeOutput, parameters.apply(block.node, input));
    }
    return {moves, (double)features.size(2) * at::softmax(features, 2)};
}

Tensor EquivariantNetwork::applyHead(const ParameterTensors& parameters, int repeat,
                                     const Tensor& headInput) const {
    const auto& head = place.heads[repeat];
    return parameters.apply(head.output, parameters.apply(head.hidden, headInput));
}
