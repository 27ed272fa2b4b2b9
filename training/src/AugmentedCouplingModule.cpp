#include "AugmentedCouplingModule.h"

#include <ATen/ATen.h>

#include "AffineComposition.h"
#include "Indices.h"

using namespace OpenMMFlow;
using at::Tensor;

AugmentedCouplingModule::AugmentedCouplingModule(std::shared_ptr<const AugmentedCouplingModel> model,
                                                 at::ScalarType type)
    : model(model), type(type), jointPoints(*model, model->getOptions()) {
    for (const auto& place : model->getPlaces().couplings)
        couplings.push_back(
            {Transformer(*model, place), toIndices(place.transformed), toIndices(place.conditioning)});
}

Tensor AugmentedCouplingModule::getParameters() const {
    return at::tensor(model->getParameters()).to(type);
}

std::shared_ptr<const AugmentedCouplingModel> AugmentedCouplingModule::createModel(
    const Tensor& parameters) const {
    return std::make_shared<AugmentedCouplingModel>(model->getParticles(), model->getBase(),
                                                    model->getOptions(), toParameters(parameters));
}

void AugmentedCouplingModule::applyScaling(SplineDirection direction, const ParameterTensors& parameters,
                                           int layer, State& state) const {
    if (model->getOptions().scaling)
        jointPoints.scale(direction, parameters.at(model->getPlaces().scaling[layer]), state.points,
                          state.logDensity);
}

void AugmentedCouplingModule::applyCoupling(SplineDirection direction, const ParameterTensors& parameters,
                                            const Coupling& coupling, State& state) const {
    const auto& options = model->getOptions();
    const Tensor transformed = coupling.transformed.to(state.points.device());
    const Tensor conditioning = state.points.index_select(2, coupling.conditioning.to(state.points.device()));
    const Tensor origin = conditioning.narrow(2, 0, 1).mean(1, true);
    const Tensor points = state.points.index_select(2, transformed);
    const Tensor input = (conditioning - origin).flatten(2);
    // (coordinates of a particle, B N), and with the parameters of their functions as the first dimension.
    const Tensor values = (points - origin).flatten(2).flatten(0, 1).t();
    const Tensor functions = coupling.network.evaluate(parameters, input)
                                 .reshape({values.size(1), values.size(0), -1})
                                 .permute({2, 1, 0});
    const double range = options.range / options.lengthUnit;
    const SplineShapes shapes{options.bins, options.minBinFraction, options.minDerivative,
                              std::vector<SplineDomain>(values.size(0), {-range, range, SplineEnds::Free})};
    const auto [results, logDerivatives] =
        options.transform == AugmentedCouplingModel::Transform::Affine
            ? evaluateAffine(direction, values, functions, options.minDerivative)
            : evaluateSplines(direction, values.contiguous(), functions.contiguous(), shapes);
    const Tensor logVolume = logDerivatives.sum(0).view({points.size(0), -1}).sum(1);
    state.logDensity =
        direction == SplineDirection::Forward ? state.logDensity - logVolume : state.logDensity + logVolume;
    state.points = state.points.index_copy(2, transformed, origin + results.t().reshape(points.sizes()));
}

Tensor AugmentedCouplingModule::logDensity(const Tensor& parameters, const Tensor& joint) const {
    const ParameterTensors tensors(model->getPlaces().layout, parameters);
    State state{jointPoints.load(joint, parameters), {}};
    state.logDensity = at::zeros({state.points.size(0)}, parameters.options());
    for (int layer = model->getOptions().layers - 1; layer >= 0; layer--) {
        for (int side : {1, 0})
            applyCoupling(SplineDirection::Inverse, tensors, couplings[2 * layer + side], state);
        applyScaling(SplineDirection::Inverse, tensors, layer, state);
    }
    return state.logDensity + jointPoints.baseLogDensity(state.points);
}

std::pair<Tensor, Tensor> AugmentedCouplingModule::transform(const Tensor& parameters,
                                                             const Tensor& base) const {
    const ParameterTensors tensors(model->getPlaces().layout, parameters);
    State state{jointPoints.load(base, parameters), {}};
    state.logDensity = jointPoints.baseLogDensity(state.points);
    for (int layer = 0; layer < model->getOptions().layers; layer++) {
        applyScaling(SplineDirection::Forward, tensors, layer, state);
        for (int side : {0, 1})
            applyCoupling(SplineDirection::Forward, tensors, couplings[2 * layer + side], state);
    }
    return {jointPoints.store(state.points), state.logDensity};
}
