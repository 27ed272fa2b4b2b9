#include "InternalFlow.h"

#include <algorithm>
#include <cmath>

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

CpuFlow* createInternalFlow(const InternalFlowModel& model, const MatrixProducts& products);

Dense::Dense(const DenseLayer& layer)
    : inputs(layer.inputs),
      outputs(layer.outputs),
      weight(layer.weight.begin(), layer.weight.end()),
      bias(layer.bias.begin(), layer.bias.end()) {}

InternalFlow::InternalFlow(const InternalFlowModel& model, const MatrixProducts& products)
    : coordinates(model.getCoordinates()),
      activation(model.getOptions().activation),
      numCoordinates(coordinates.getNumCoordinates()),
      numLinear(coordinates.getNumLinear()),
      numFeatures(0),
      numOutputs(0),
      numHidden(model.getOptions().hidden),
      numBlocks(model.getOptions().blocks),
      logDensityConstant(model.getLogDensityConstant()),
      products(products) {
    for (const SplineCoupling& source : model.getCouplings()) {
        Coupling coupling{
            source.transformed, source.conditioning, Dense(source.input), {}, Dense(source.output)};
        for (const auto& [first, second] : source.blocks)
            coupling.blocks.emplace_back(Dense(first), Dense(second));
        numFeatures = std::max(numFeatures, coupling.input.inputs);
        numOutputs = std::max(numOutputs, coupling.output.outputs);
        couplings.push_back(std::move(coupling));
    }
    const auto& options = model.getOptions();
    const double derivativeOffset = std::log(std::expm1(1 - options.minDerivative));
    for (int j = 0; j < numCoordinates; j++) {
        const bool circular = coordinates.circular[j];
        shapes.push_back({options.bins, circular ? M_PI : options.tailBound, options.minBinFraction,
                          options.minDerivative, derivativeOffset});
        numParameters.push_back(circular ? 3 * options.bins + 1 : 3 * options.bins - 1);
    }
}

[[maybe_unused]] static auto getProduct(const MatrixProducts& products, float) {
    return products.single;
}

[[maybe_unused]] static auto getProduct(const MatrixProducts& products, double) {
    return products.wide;
}

void InternalFlow::multiply(const Dense& layer, bool transpose, int count, const Scalar* b, Scalar* c,
                            int columns) const {
    const int m = transpose ? layer.inputs : layer.outputs, k = transpose ? layer.outputs : layer.inputs;
    getProduct(products, Scalar())(transpose, m, count, k, layer.weight.data(), b, c, columns);
}

CpuFlow* createInternalFlow(const InternalFlowModel& model, const MatrixProducts& products) {
    return new InternalFlow(model, products);
}

std::unique_ptr<CpuFlowBlock> InternalFlow::createBlock() const {
    return std::make_unique<InternalFlowBlock>(*this);
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow
