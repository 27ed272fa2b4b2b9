#include "InternalFlowModule.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

using namespace OpenMMFlow;
using at::Tensor;

/** Split coordinate indices into circular and linear ones, and put the circular ones first. */
static std::vector<int> circularFirst(std::vector<int> indices, const std::vector<char>& circular,
                                      int& numCircular) {
    auto firstLinear =
        std::stable_partition(indices.begin(), indices.end(), [&](int j) { return circular[j] != 0; });
    numCircular = (int)(firstLinear - indices.begin());
    return indices;
}

/** For each row of each SplineLayout, one after the other, the output of the model's network that it stands
 * for. */
static std::vector<int> outputRows(const std::vector<int>& transformed, const std::vector<int>& ordered,
                                   const InternalFlowModel& model, const std::vector<SplineLayout>& layouts) {
    const auto& circular = model.getCoordinates().circular;
    std::vector<int> firstOutput(circular.size());
    int next = 0;
    for (int j : transformed) {
        firstOutput[j] = next;
        next += model.getOptions().getNumSplineParameters(circular[j]);
    }
    std::vector<int> result;
    const int* coordinate = ordered.data();
    for (const SplineLayout& layout : layouts) {
        const int K = layout.bins, n = layout.numCoordinates();
        std::vector<int> rows(layout.numParameters());
        for (int j = 0; j < n; j++) {
            const int first = firstOutput[*coordinate++];
            for (int k = 0; k < 3 * K; k++)
                rows[k * n + j] = first + k;
            if (layout.circular > 0)
                rows[3 * K * n + j] = first + 3 * K;
            else
                rows[(3 * K - 1) * n + j] = -1;
        }
        result.insert(result.end(), rows.begin(), rows.end());
    }
    return result;
}

/** For each feature here (all cosines and all sines of each harmonic, linear ones, products), the model's
 * feature. */
static std::vector<int> featureColumns(const SplineCoupling& coupling, const std::vector<int>& ordered,
                                       const InternalFlowModel& model, int numCircular) {
    const auto& circular = model.getCoordinates().circular;
    std::vector<int> firstFeature(circular.size());
    int next = 0;
    for (int j : coupling.conditioning) {
        firstFeature[j] = next;
        next += model.getOptions().getNumFeatures(circular[j]);
    }
    std::vector<int> columns;
    for (int part = 0; part < 2 * model.getOptions().harmonics; part++)
        for (int j = 0; j < numCircular; j++)
            columns.push_back(firstFeature[ordered[j]] + part);
    for (size_t j = numCircular; j < ordered.size(); j++)
        columns.push_back(firstFeature[ordered[j]]);
    for (int part = 0; part < 4; part++)
        for (const auto& product : model.getFeatureProducts(coupling))
            columns.push_back(product.place + part);
    return columns;
}

/** The products of the cosines and sines of each two of the angles (n, B): four arrays (pairs, B). */
static std::vector<Tensor> multiplyPairs(const Tensor& angles) {
    std::vector<int64_t> first, second;
    for (int64_t a = 0; a < angles.size(0); a++)
        for (int64_t b = a + 1; b < angles.size(0); b++) {
            first.push_back(a);
            second.push_back(b);
        }
    auto select = [&](const std::vector<int64_t>& rows) {
        return angles.index_select(0, at::tensor(rows, at::kLong).to(angles.device()));
    };
    const Tensor a = select(first), b = select(second);
    return {a.cos() * b.cos(), a.cos() * b.sin(), a.sin() * b.cos(), a.sin() * b.sin()};
}

InternalFlowModule::InternalFlowModule(std::shared_ptr<const InternalFlowModel> model, at::ScalarType type)
    : model(model), type(type) {
    const auto& circular = model->getCoordinates().circular;
    const auto& options = model->getOptions();
    std::vector<int> present(circular.size());
    for (size_t j = 0; j < present.size(); j++)
        present[j] = (int)j;
    for (auto original = model->getCouplings().rbegin(); original != model->getCouplings().rend();
         ++original) {
        Coupling coupling;
        int numCircular, circularCoordinates;
        std::vector<int> rows = circularFirst(original->transformed, circular, numCircular);
        std::vector<int> conditioning = circularFirst(original->conditioning, circular, circularCoordinates);
        const int numLinear = (int)rows.size() - numCircular;
        if (numCircular > 0)
            coupling.splines.push_back({numCircular, 0, options.bins, options.tailBound,
                                        options.minBinFraction, options.minDerivative});
        if (numLinear > 0)
            coupling.splines.push_back({0, numLinear, options.linearBins, options.tailBound,
                                        options.minBinFraction, options.minDerivative});
        coupling.circularCoordinates = circularCoordinates;
        coupling.linearCoordinates = (int64_t)conditioning.size() - circularCoordinates;
        coupling.firstLayer = layers.size();
        coupling.numBlocks = original->blocks.size();
        addLayer(original->input, {}, featureColumns(*original, conditioning, *model, circularCoordinates));
        for (const auto& [first, second] : original->blocks) {
            addLayer(first, {}, {});
            addLayer(second, {}, {});
        }
        addLayer(original->output, outputRows(original->transformed, rows, *model, coupling.splines), {});

        rows.insert(rows.end(), conditioning.begin(), conditioning.end());
        std::vector<int64_t> order;
        for (int j : rows)
            order.push_back(std::find(present.begin(), present.end(), j) - present.begin());
        coupling.order = at::tensor(order, at::kLong);
        coupling.inverseOrder = at::argsort(coupling.order);
        present = rows;
        couplings.push_back(coupling);
    }
    std::vector<int64_t> linear;
    for (size_t row = 0; row < present.size(); row++)
        if (!circular[present[row]])
            linear.push_back((int64_t)row);
    linearRows = at::tensor(linear, at::kLong);
    baseRows = at::tensor(std::vector<int64_t>(present.begin(), present.end()), at::kLong);
}

void InternalFlowModule::addLayer(const DenseLayer& layer, std::vector<int> rows, std::vector<int> columns) {
    int64_t outputs = rows.empty() ? layer.outputs : (int64_t)rows.size();
    partSizes.push_back(outputs * layer.inputs);
    partSizes.push_back(outputs);
    layers.push_back({outputs, layer.inputs, std::move(rows), std::move(columns)});
}

/** Calls visit(index here, index in the model) for each weight of a layer, and visitBias the same for each
 * bias. */
template <typename Layer, typename Visit, typename VisitBias>
static void forEachParameter(const Layer& layer, const DenseLayer& original, Visit visit,
                             VisitBias visitBias) {
    for (int64_t i = 0; i < layer.outputs; i++) {
        int64_t row = layer.rows.empty() ? i : layer.rows[i];
        if (row < 0)
            continue;
        for (int64_t j = 0; j < layer.inputs; j++)
            visit(i * layer.inputs + j,
                  row * original.inputs + (layer.columns.empty() ? j : layer.columns[j]));
        visitBias(i, row);
    }
}

/** Calls visit(layer) for each layer of a coupling, in the order of the flat tensor. */
template <typename Coupling, typename Visit>
static void forEachLayer(Coupling& coupling, Visit visit) {
    visit(coupling.input);
    for (auto& [first, second] : coupling.blocks) {
        visit(first);
        visit(second);
    }
    visit(coupling.output);
}

Tensor InternalFlowModule::getParameters() const {
    int64_t total = 0;
    for (int64_t size : partSizes)
        total += size;
    Tensor parameters = at::zeros({total}, at::kDouble);
    double* values = parameters.data_ptr<double>();
    size_t index = 0;
    for (auto original = model->getCouplings().rbegin(); original != model->getCouplings().rend(); ++original)
        forEachLayer(*original, [&](const DenseLayer& dense) {
            double* bias = values + partSizes[2 * index];
            forEachParameter(
                layers[index], dense,
                [&](int64_t here, int64_t there) { values[here] = dense.weight[there]; },
                [&](int64_t here, int64_t there) { bias[here] = dense.bias[there]; });
            values = bias + partSizes[2 * index + 1];
            index++;
        });
    return parameters.to(type);
}

std::shared_ptr<const InternalFlowModel> InternalFlowModule::createModel(const Tensor& parameters) const {
    Tensor flat = parameters.detach().to(at::kDouble).contiguous();
    const double* values = flat.data_ptr<double>();
    std::vector<SplineCoupling> result = model->getCouplings();
    size_t index = 0;
    for (auto coupling = result.rbegin(); coupling != result.rend(); ++coupling)
        forEachLayer(*coupling, [&](DenseLayer& dense) {
            const double* bias = values + partSizes[2 * index];
            forEachParameter(
                layers[index], dense,
                [&](int64_t here, int64_t there) { dense.weight[there] = values[here]; },
                [&](int64_t here, int64_t there) { dense.bias[there] = bias[here]; });
            values = bias + partSizes[2 * index + 1];
            index++;
        });
    return std::make_shared<InternalFlowModel>(model->getCoordinates(), model->getOptions(), result);
}

Tensor InternalFlowModule::conditioner(const Coupling& coupling, const std::vector<Tensor>& parts,
                                       const Tensor& conditioning) const {
    const bool silu = model->getOptions().activation == InternalFlowModel::Activation::SiLU;
    auto activation = [&](const Tensor& h) { return silu ? at::silu(h) : at::relu(h); };
    auto dense = [&](size_t layer, const Tensor& h) {
        return at::addmm(parts[2 * layer + 1].unsqueeze(1),
                         parts[2 * layer].view({layers[layer].outputs, layers[layer].inputs}), h);
    };
    const Tensor angles = conditioning.narrow(0, 0, coupling.circularCoordinates);
    std::vector<Tensor> features;
    for (int k = 1; k <= model->getOptions().harmonics; k++) {
        features.push_back(at::cos(k * angles));
        features.push_back(at::sin(k * angles));
    }
    features.push_back(conditioning.narrow(0, coupling.circularCoordinates, coupling.linearCoordinates));
    if (model->getOptions().products)
        for (const Tensor& product : multiplyPairs(angles))
            features.push_back(product);
    size_t layer = coupling.firstLayer;
    Tensor h = activation(dense(layer++, at::cat(features)));
    for (size_t block = 0; block < coupling.numBlocks; block++) {
        Tensor inner = activation(dense(layer++, h));
        h = h + dense(layer++, inner);
    }
    return dense(layer, h);
}

std::pair<Tensor, Tensor> InternalFlowModule::mapCoupling(SplineDirection direction, const Coupling& coupling,
                                                          const std::vector<Tensor>& parts,
                                                          const Tensor& x) const {
    const int64_t n = x.size(0) - coupling.circularCoordinates - coupling.linearCoordinates;
    const Tensor conditioning = x.narrow(0, n, x.size(0) - n);
    const Tensor outputs = conditioner(coupling, parts, conditioning);
    std::vector<Tensor> rows;
    Tensor logVolume = at::zeros({x.size(1)}, x.options());
    int64_t coordinate = 0, output = 0;
    for (const SplineLayout& layout : coupling.splines) {
        const auto [mapped, logDerivative] =
            mapSplines(direction, x.narrow(0, coordinate, layout.numCoordinates()),
                       outputs.narrow(0, output, layout.numParameters()), layout);
        logVolume = logVolume + logDerivative;
        rows.push_back(mapped);
        coordinate += layout.numCoordinates();
        output += layout.numParameters();
    }
    rows.push_back(conditioning);
    return {at::cat(rows), logVolume};
}

std::pair<Tensor, Tensor> InternalFlowModule::toBase(const Tensor& parameters,
                                                     const Tensor& coordinates) const {
    const std::vector<Tensor> parts = parameters.split_with_sizes(partSizes);
    Tensor x = coordinates;
    Tensor logVolume = at::zeros({x.size(1)}, x.options());
    for (const Coupling& coupling : couplings) {
        const auto [mapped, change] = mapCoupling(SplineDirection::Inverse, coupling, parts,
                                                  x.index_select(0, coupling.order.to(x.device())));
        x = mapped;
        logVolume = logVolume + change;
    }
    return {x, logVolume};
}

Tensor InternalFlowModule::fromBase(const Tensor& parameters, const Tensor& base) const {
    const std::vector<Tensor> parts = parameters.split_with_sizes(partSizes);
    Tensor x = base;
    for (auto coupling = couplings.rbegin(); coupling != couplings.rend(); ++coupling)
        x = mapCoupling(SplineDirection::Forward, *coupling, parts, x)
                .first.index_select(0, coupling->inverseOrder.to(x.device()));
    return x;
}

Tensor InternalFlowModule::orderBase(const Tensor& base) const {
    return base.index_select(0, baseRows.to(base.device()));
}

Tensor InternalFlowModule::logDensity(const Tensor& parameters, const Tensor& coordinates) const {
    const auto [z, logVolume] = toBase(parameters, coordinates);
    const double numLinear = (double)linearRows.size(0), numCircular = (double)z.size(0) - numLinear;
    const double constant = -0.5 * numLinear * std::log(2 * M_PI) - numCircular * std::log(2 * M_PI);
    return logVolume - 0.5 * z.index_select(0, linearRows.to(z.device())).square().sum(0) + constant;
}
