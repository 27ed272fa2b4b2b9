#include "EquivariantCouplingModule.h"

#include <ATen/ATen.h>

#include "Indices.h"

using namespace OpenMMFlow;
using at::Tensor;

EquivariantCouplingModule::EquivariantCouplingModule(std::shared_ptr<const EquivariantCouplingModel> model,
                                                     at::ScalarType type)
    : model(model),
      type(type),
      frameTransform(*model),
      jointPoints(*model, model->getOptions()),
      numParticles(model->getNumParticles()),
      dimensions(model->getParticles().dimensions) {
    for (const auto& place : model->getPlaces().couplings) {
        std::vector<int> sources;
        for (size_t t = 0; t < place.transformed.size(); t++)
            sources.push_back(place.conditioning[t % place.conditioning.size()]);
        couplings.push_back({EquivariantNetwork(*model, place), toIndices(place.transformed),
                             toIndices(place.conditioning), toIndices(sources)});
        numFrames += numParticles * (int64_t)(place.transformed.size() * place.heads.size());
    }
}

Tensor EquivariantCouplingModule::getParameters() const {
    return at::tensor(model->getParameters()).to(type);
}

std::shared_ptr<const EquivariantCouplingModel> EquivariantCouplingModule::createModel(
    const Tensor& parameters) const {
    return std::make_shared<EquivariantCouplingModel>(model->getParticles(), model->getBase(),
                                                      model->getOptions(), toParameters(parameters));
}

EquivariantCouplingModule::State EquivariantCouplingModule::load(const Tensor& parameters,
                                                                 const Tensor& joint) const {
    const Tensor points = jointPoints.load(joint, parameters);
    const Tensor zeros = at::zeros({points.size(0)}, points.options());
    return {points, zeros, zeros};
}

void EquivariantCouplingModule::applyScaling(SplineDirection direction, const ParameterTensors& parameters,
                                             int layer, State& state) const {
    if (model->getOptions().scaling)
        jointPoints.scale(direction, parameters.at(model->getPlaces().scaling[layer]), state.points,
                          state.logDensity);
}

void EquivariantCouplingModule::applyCoupling(SplineDirection direction, const ParameterTensors& parameters,
                                              const Coupling& coupling, State& state) const {
    const at::Device device = state.points.device();
    const Tensor transformed = coupling.transformed.to(device);
    const auto network =
        coupling.network.evaluate(parameters, state.points.index_select(2, coupling.conditioning.to(device)));
    const Tensor sources = state.points.index_select(2, coupling.sources.to(device));
    const int64_t numRepeats = model->getOptions().repeats;
    const int64_t numAxes = frameTransform.getNumAxes();
    const Tensor frames =
        network.moves.view({-1, numParticles, transformed.size(0), numRepeats, numAxes + 1, dimensions});
    const Tensor axes = frames.narrow(4, 1, numAxes);
    Tensor points = state.points.index_select(2, transformed);
    for (int64_t r = 0; r < numRepeats; r++) {
        const bool isForward = direction == SplineDirection::Forward;
        const int64_t repeat = isForward ? r : numRepeats - 1 - r;
        const Tensor origin = sources + frames.select(3, repeat).select(3, 0);
        const auto [mapped, logVolume] =
            frameTransform.map(direction, points - origin, axes.select(3, repeat),
                               coupling.network.applyHead(parameters, (int)repeat, network.headInput));
        points = origin + mapped;
        state.logDensity = isForward ? state.logDensity - logVolume : state.logDensity + logVolume;
    }
    if (canBeCollinear())
        state.collinearity = state.collinearity + computeCollinearity(axes).sum({1, 2, 3});
    state.points = state.points.index_copy(2, transformed, points);
}

Tensor EquivariantCouplingModule::frameLossOf(const State& state) const {
    return state.collinearity / (double)numFrames;
}

Tensor EquivariantCouplingModule::logDensity(const Tensor& parameters, const Tensor& joint,
                                             Tensor* frameLoss) const {
    const ParameterTensors tensors(model->getPlaces().layout, parameters);
    State state = load(parameters, joint);
    for (int layer = model->getOptions().layers - 1; layer >= 0; layer--) {
        for (int side : {1, 0})
            applyCoupling(SplineDirection::Inverse, tensors, couplings[2 * layer + side], state);
        applyScaling(SplineDirection::Inverse, tensors, layer, state);
    }
    if (frameLoss != nullptr)
        *frameLoss = frameLossOf(state);
    return state.logDensity + jointPoints.baseLogDensity(state.points);
}

std::pair<Tensor, Tensor> EquivariantCouplingModule::transform(const Tensor& parameters, const Tensor& base,
                                                               Tensor* frameLoss) const {
    const ParameterTensors tensors(model->getPlaces().layout, parameters);
    State state = load(parameters, base);
    state.logDensity = jointPoints.baseLogDensity(state.points);
    for (int layer = 0; layer < model->getOptions().layers; layer++) {
        applyScaling(SplineDirection::Forward, tensors, layer, state);
        for (int side : {0, 1})
            applyCoupling(SplineDirection::Forward, tensors, couplings[2 * layer + side], state);
    }
    if (frameLoss != nullptr)
        *frameLoss = frameLossOf(state);
    return {jointPoints.store(state.points), state.logDensity};
}
