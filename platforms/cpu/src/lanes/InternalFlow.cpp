#include "InternalFlow.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "InternalFlowTraining.h"
#include "PackedLayers.h"
#include "SplineShapes.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

CpuFlow* createInternalFlow(const InternalFlowModel& model);

Dense::Dense(const LayerView& layer)
    : weight(packLayer<PanelMatrix>(layer)), transposed(packLayer<PanelMatrix>(layer.transpose())) {}

void Dense::assign(const LayerView& layer) {
    repackLayer(layer, weight);
    repackLayer(layer.transpose(), transposed);
}

InternalFlow::InternalFlow(const InternalFlowModel& model)
    : model(model),
      coordinates(model.getCoordinates()),
      activation(model.getOptions().activation),
      numCoordinates(coordinates.getNumCoordinates()),
      numLinear(coordinates.getNumLinear()),
      numFeatures(0),
      numOutputs(0),
      numHidden(model.getOptions().hidden),
      numBlocks(model.getOptions().blocks),
      logDensityConstant(model.getLogDensityConstant()),
      places(model.getPlaces()),
      numWeights(model.getParameters().size()) {
    const auto& options = model.getOptions();
    for (int j = 0; j < numCoordinates; j++) {
        const bool circular = coordinates.circular[j];
        shapes.push_back(makeSplineShape(options, circular));
        numParameters.push_back(options.getNumSplineParameters(circular));
    }
    for (const SplineCoupling& source : model.getCouplings()) {
        Coupling coupling{source.transformed,
                          source.conditioning,
                          model.getFeatureProducts(source),
                          Dense(source.input),
                          {},
                          {},
                          packLayer<PanelMatrix>(LayerView(source.output).transpose())};
        for (const auto& [first, second] : source.blocks)
            coupling.blocks.emplace_back(Dense(first), Dense(second));
        forEachOutput(source.transformed, source.output, [&](size_t, const LayerView& output) {
            coupling.outputs.push_back(packLayer<PanelMatrix>(output));
        });
        numFeatures = std::max(numFeatures, source.input.inputs);
        numOutputs = std::max(numOutputs, source.output.outputs);
        couplings.push_back(std::move(coupling));
    }
}

template <class Visit>
void InternalFlow::forEachOutput(const std::vector<int>& transformed, const LayerView& output,
                                 const Visit& visit) const {
    int first = 0;
    for (size_t i = 0; i < transformed.size(); i++) {
        visit(i, output.select(first, numParameters[transformed[i]]));
        first += numParameters[transformed[i]];
    }
}

void InternalFlow::setParameters(const double* parameters) {
    auto isFinite = [](double value) { return std::abs(value) <= std::numeric_limits<float>::max(); };
    // It is for the model to refuse such a number, with a message that names the layer.
    if (!std::all_of(parameters, parameters + numWeights, isFinite))
        model.withParameters({parameters, parameters + numWeights});
    for (size_t l = 0; l < couplings.size(); l++) {
        Coupling& coupling = couplings[l];
        const auto& place = places[l];
        coupling.input.assign({place.input, parameters});
        for (size_t b = 0; b < coupling.blocks.size(); b++) {
            coupling.blocks[b].first.assign({place.blocks[b].first, parameters});
            coupling.blocks[b].second.assign({place.blocks[b].second, parameters});
        }
        const LayerView output(place.output, parameters);
        forEachOutput(coupling.transformed, output,
                      [&](size_t i, const LayerView& part) { repackLayer(part, coupling.outputs[i]); });
        repackLayer(output.transpose(), coupling.outputTransposed);
    }
}

CpuFlow* createInternalFlow(const InternalFlowModel& model) {
    return new InternalFlow(model);
}

const OneSampleFlow& InternalFlow::getOneSampleFlow() const {
    std::call_once(isPacked, [&] { oneSampleFlow = std::make_unique<OneSampleFlow>(model); });
    return *oneSampleFlow;
}

std::unique_ptr<CpuFlowBlock> InternalFlow::createBlock() const {
    return std::make_unique<InternalFlowBlock>(*this);
}

std::unique_ptr<CpuTrainingBlock> InternalFlow::createTrainingBlock() const {
    return std::make_unique<InternalFlowTraining>(*this);
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow
