#include "InternalFlow.h"

#include <algorithm>
#include <cmath>

#include "InternalFlowTraining.h"
#include "PackedLayers.h"
#include "SplineShapes.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

CpuFlow* createInternalFlow(const InternalFlowModel& model);

Dense::Dense(const DenseLayer& layer)
    : weight(packLayer<PanelMatrix>(layer)), transposed(packTransposed<PanelMatrix>(layer)) {}

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
      numWeights(model.getParameters().size()) {
    const auto& options = model.getOptions();
    for (int j = 0; j < numCoordinates; j++) {
        const bool circular = coordinates.circular[j];
        shapes.push_back(makeSplineShape(options, circular));
        numParameters.push_back(options.getNumSplineParameters(circular));
    }
    pack(model.getCouplings());
}

void InternalFlow::setParameters(const double* parameters) {
    pack(model.withParameters({parameters, parameters + numWeights})->getCouplings());
}

void InternalFlow::pack(const std::vector<SplineCoupling>& sources) {
    couplings.clear();
    for (const SplineCoupling& source : sources) {
        Coupling coupling{source.transformed,
                          source.conditioning,
                          model.getFeatureProducts(source),
                          Dense(source.input),
                          {},
                          {},
                          packTransposed<PanelMatrix>(source.output)};
        for (const auto& [first, second] : source.blocks)
            coupling.blocks.emplace_back(Dense(first), Dense(second));
        int first = 0;
        for (int j : source.transformed) {
            coupling.outputs.push_back(packOutputs<PanelMatrix>(source.output, first, numParameters[j]));
            first += numParameters[j];
        }
        numFeatures = std::max(numFeatures, source.input.inputs);
        numOutputs = std::max(numOutputs, source.output.outputs);
        couplings.push_back(std::move(coupling));
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
