#include "OneSampleFlow.h"

#include "Activations.h"
#include "PackedLayers.h"
#include "SplineShapes.h"
#include "shared/ConditionerFeatures.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

namespace {

const Scalar* scalars(const std::vector<Lanes>& lanes) {
    return (const Scalar*)lanes.data();
}

/** The output of a layer which is number `i` in the order of a group, or -1 where that only fills a vector.
 */
int findOutput(const SplineGroup& group, int i) {
    const int columns = group.numVectors * LANES, c = i % columns;
    return c < (int)group.coordinates.size() ? group.firstOutputs[c] + i / columns : -1;
}

int countOutputs(const SplineGroup& group) {
    return group.numParameters * group.numVectors * LANES;
}

VectorMatrix packTransposed(const LayerView& layer) {
    return packLayer<VectorMatrix>(layer.transpose());
}

VectorMatrix packGroup(const LayerView& layer, const SplineGroup& group) {
    return VectorMatrix(
        countOutputs(group), layer.inputs,
        [&](int i, int j) {
            const int output = findOutput(group, i);
            return output < 0 ? 0.0 : layer.weight(output, j);
        },
        [&](int i) {
            const int output = findOutput(group, i);
            return output < 0 ? 0.0 : layer.bias(output);
        });
}

VectorMatrix packGroupTransposed(const LayerView& layer, const SplineGroup& group) {
    return VectorMatrix(
        layer.inputs, countOutputs(group),
        [&](int i, int j) {
            const int output = findOutput(group, j);
            return output < 0 ? 0.0 : layer.weight(output, i);
        },
        [](int) { return 0.0; });
}

std::vector<SplineGroup> makeGroups(const InternalFlowModel& model, const SplineCoupling& coupling) {
    const auto& options = model.getOptions();
    std::vector<SplineGroup> groups;
    for (bool circular : {false, true}) {
        SplineGroup group;
        int first = 0;
        for (int j : coupling.transformed) {
            const bool isCircular = model.getCoordinates().circular[j];
            if (isCircular == circular) {
                group.coordinates.push_back(j);
                group.firstOutputs.push_back(first);
            }
            first += options.getNumSplineParameters(isCircular);
        }
        group.circular = circular;
        group.numParameters = options.getNumSplineParameters(circular);
        group.numVectors = ((int)group.coordinates.size() + LANES - 1) / LANES;
        group.shape = makeSplineShape(options, circular);
        if (!group.coordinates.empty())
            groups.push_back(group);
    }
    return groups;
}

}  // namespace

OneSampleFlow::OneSampleFlow(const InternalFlowModel& model) : model(model) {
    for (const SplineCoupling& coupling : model.getCouplings()) {
        groups.push_back(makeGroups(model, coupling));
        products.push_back(model.getFeatureProducts(coupling));
        OneSampleLayers packed{packLayer<VectorMatrix>(coupling.input), {}, {}};
        for (const auto& [first, second] : coupling.blocks)
            packed.blocks.emplace_back(packLayer<VectorMatrix>(first), packLayer<VectorMatrix>(second));
        for (const SplineGroup& group : groups.back())
            packed.outputs.push_back(packGroup(coupling.output, group));
        layers.push_back(std::move(packed));
    }
}

const std::vector<OneSampleLayers>& OneSampleFlow::getTransposed() const {
    std::call_once(isTransposed, [&] {
        for (size_t l = 0; l < layers.size(); l++) {
            const SplineCoupling& coupling = model.getCouplings()[l];
            OneSampleLayers packed{packTransposed(coupling.input), {}, {}};
            for (const auto& [first, second] : coupling.blocks)
                packed.blocks.emplace_back(packTransposed(first), packTransposed(second));
            for (const SplineGroup& group : groups[l])
                packed.outputs.push_back(packGroupTransposed(coupling.output, group));
            transposed.push_back(std::move(packed));
        }
    });
    return transposed;
}

OneSampleCouplings::OneSampleCouplings(const OneSampleFlow& flow)
    : flow(flow), activation(flow.model.getOptions().activation), records(flow.layers.size()) {
    const int hiddenVectors = (flow.model.getOptions().hidden + LANES - 1) / LANES;
    hidden.resize(hiddenVectors);
    inner.resize(hiddenVectors);
    for (size_t l = 0; l < records.size(); l++) {
        Record& record = records[l];
        const SplineCoupling& coupling = flow.model.getCouplings()[l];
        record.features.resize(coupling.input.inputs);
        record.slopes.assign(1 + coupling.blocks.size(), std::vector<Lanes>(hiddenVectors));
        for (const SplineGroup& group : flow.groups[l]) {
            record.given.emplace_back(group.numVectors);
            record.parameters.emplace_back(countOutputs(group) / LANES);
        }
    }
}

void OneSampleCouplings::computeHidden(const OneSampleLayers& layers, Record& record) {
    auto activateInto = [&](std::vector<Lanes>& result, int layer) {
        std::vector<Lanes>& slopes = record.slopes[layer];
        return [&](int v, Lanes x) { result[v] = activate(activation, x, slopes[v]); };
    };
    layers.input.multiply(record.features.data(), activateInto(hidden, 0));
    for (size_t b = 0; b < layers.blocks.size(); b++) {
        const auto& [first, second] = layers.blocks[b];
        first.multiply(scalars(hidden), activateInto(inner, b + 1));
        second.multiply(scalars(inner), [&](int v, Lanes y) { hidden[v] = hidden[v] + y; });
    }
}

double OneSampleCouplings::invert(std::vector<double>& z) {
    double logDerivative = 0;
    for (int l = (int)records.size() - 1; l >= 0; l--) {
        Record& record = records[l];
        const std::vector<double> features =
            shared::computeFeatures(flow.model, flow.model.getCouplings()[l], flow.products[l], z);
        record.features.assign(features.begin(), features.end());
        computeHidden(flow.layers[l], record);
        for (size_t g = 0; g < flow.groups[l].size(); g++) {
            const SplineGroup& group = flow.groups[l][g];
            std::vector<Lanes>&parameters = record.parameters[g], &given = record.given[g];
            flow.layers[l].outputs[g].multiply(scalars(hidden), [&](int v, Lanes y) { parameters[v] = y; });
            for (size_t c = 0; c < group.coordinates.size(); c++)
                given[c / LANES].v[c % LANES] = (Scalar)z[group.coordinates[c]];
            withConstants(group.shape, group.circular, [&](SplineShape shape, auto bins, auto ends) {
                shape.bins = bins;
                for (int v = 0; v < group.numVectors; v++) {
                    const SplineResult x =
                        splineInverse(given[v], &parameters[v], group.numVectors, shape, ends);
                    for (size_t c = v * LANES;
                         c < std::min<size_t>((v + 1) * LANES, group.coordinates.size()); c++) {
                        z[group.coordinates[c]] = x.value.v[c % LANES];
                        logDerivative += x.logDerivative.v[c % LANES];
                    }
                }
            });
        }
    }
    return logDerivative;
}

void OneSampleCouplings::backpropagate(std::vector<double>& adjoint) {
    const std::vector<OneSampleLayers>& transposed = flow.getTransposed();
    for (size_t l = 0; l < records.size(); l++) {
        const Record& record = records[l];
        parameterAdjoint.clear();
        for (size_t g = 0; g < flow.groups[l].size(); g++) {
            const SplineGroup& group = flow.groups[l][g];
            parameterAdjoint.emplace_back(record.parameters[g].size());
            for (int v = 0; v < group.numVectors; v++) {
                const size_t first = v * LANES, last = std::min(first + LANES, group.coordinates.size());
                Lanes worth = 0.0;
                for (size_t c = first; c < last; c++)
                    worth.v[c - first] = (Scalar)adjoint[group.coordinates[c]];
                const Lanes result = splineInverseAdjoint(
                    record.given[g][v], &record.parameters[g][v], group.numVectors, group.shape,
                    group.circular, worth, Lanes(1.0), group.numVectors, &parameterAdjoint[g][v]);
                for (size_t c = first; c < last; c++)
                    adjoint[group.coordinates[c]] = result.v[c - first];
            }
        }
        backpropagateLayers(transposed[l], record, parameterAdjoint);
        const Scalar* worth = scalars(features);
        shared::backpropagateFeatures(flow.model, flow.model.getCouplings()[l], flow.products[l],
                                      {record.features.begin(), record.features.end()},
                                      {worth, worth + record.features.size()}, adjoint);
    }
}

void OneSampleCouplings::backpropagateLayers(const OneSampleLayers& transposed, const Record& record,
                                             const std::vector<std::vector<Lanes>>& parameterAdjoint) {
    std::fill(hidden.begin(), hidden.end(), 0.0);
    for (size_t g = 0; g < parameterAdjoint.size(); g++)
        transposed.outputs[g].multiply(scalars(parameterAdjoint[g]),
                                       [&](int v, Lanes y) { hidden[v] = hidden[v] + y; });
    for (int b = (int)transposed.blocks.size() - 1; b >= 0; b--) {
        const auto& [first, second] = transposed.blocks[b];
        const std::vector<Lanes>& slopes = record.slopes[b + 1];
        second.multiply(scalars(hidden), [&](int v, Lanes y) { inner[v] = y * slopes[v]; });
        first.multiply(scalars(inner), [&](int v, Lanes y) { hidden[v] = hidden[v] + y; });
    }
    for (size_t v = 0; v < hidden.size(); v++)
        hidden[v] = hidden[v] * record.slopes[0][v];
    features.resize((record.features.size() + LANES - 1) / LANES);
    transposed.input.multiply(scalars(hidden), [&](int v, Lanes y) { features[v] = y; });
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow
