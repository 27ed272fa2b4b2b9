#include "InternalFlowModule.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "SplineComposition.h"

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

/** For each row of SplineLayout, the output of the model's network that it stands for. */
static std::vector<int> outputRows(const std::vector<int>& transformed, const std::vector<int>& ordered,
                                   const std::vector<char>& circular, const SplineLayout& layout) {
    const int K = layout.bins, n = layout.numCoordinates();
    std::vector<int> firstOutput(circular.size());
    int next = 0;
    for (int j : transformed) {
        firstOutput[j] = next;
        next += circular[j] ? 3 * K + 1 : 3 * K - 1;
    }
    std::vector<int> rows(layout.numParameters());
    for (int j = 0; j < n; j++) {
        for (int k = 0; k < 3 * K; k++)
            rows[k * n + j] = firstOutput[ordered[j]] + k;
        if (j < layout.circular)
            rows[3 * K * n + j] = firstOutput[ordered[j]] + 3 * K;
        else
            rows[(3 * K - 1) * n + j] = -1;
    }
    return rows;
}

/** For each feature here (all cosines, all sines, linear ones), the model's feature. */
static std::vector<int> featureColumns(const std::vector<int>& conditioning, const std::vector<int>& ordered,
                                       const std::vector<char>& circular, int numCircular) {
    std::vector<int> firstFeature(circular.size());
    int next = 0;
    for (int j : conditioning) {
        firstFeature[j] = next;
        next += circular[j] ? 2 : 1;
    }
    std::vector<int> columns;
    for (int part : {0, 1})
        for (int j = 0; j < numCircular; j++)
            columns.push_back(firstFeature[ordered[j]] + part);
    for (size_t j = numCircular; j < ordered.size(); j++)
        columns.push_back(firstFeature[ordered[j]]);
    return columns;
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
        int numCircular, circularFeatures;
        std::vector<int> rows = circularFirst(original->transformed, circular, numCircular);
        std::vector<int> conditioning = circularFirst(original->conditioning, circular, circularFeatures);
        coupling.splines = {numCircular,       (int)rows.size() - numCircular, options.bins,
                            options.tailBound, options.minBinFraction,         options.minDerivative};
        coupling.circularFeatures = circularFeatures;
        coupling.linearFeatures = (int64_t)conditioning.size() - circularFeatures;
        coupling.firstLayer = layers.size();
        coupling.numBlocks = original->blocks.size();
        addLayer(original->input, {},
                 featureColumns(original->conditioning, conditioning, circular, circularFeatures));
        for (const auto& [first, second] : original->blocks) {
            addLayer(first, {}, {});
            addLayer(second, {}, {});
        }
        addLayer(original->output, outputRows(original->transformed, rows, circular, coupling.splines), {});

        rows.insert(rows.end(), conditioning.begin(), conditioning.end());
        std::vector<int64_t> order;
        for (int j : rows)
            order.push_back(std::find(present.begin(), present.end(), j) - present.begin());
        coupling.order = at::tensor(order, at::kLong);
        present = rows;
        couplings.push_back(coupling);
    }
    std::vector<int64_t> linear;
    for (size_t row = 0; row < present.size(); row++)
        if (!circular[present[row]])
            linear.push_back((int64_t)row);
    linearRows = at::tensor(linear, at::kLong);
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
    Tensor features = conditioning;
    if (coupling.circularFeatures > 0) {
        Tensor angles = conditioning.narrow(0, 0, coupling.circularFeatures);
        features = at::cat({at::cos(angles), at::sin(angles),
                            conditioning.narrow(0, coupling.circularFeatures, coupling.linearFeatures)});
    }
    size_t layer = coupling.firstLayer;
    Tensor h = activation(dense(layer++, features));
    for (size_t block = 0; block < coupling.numBlocks; block++) {
        Tensor inner = activation(dense(layer++, h));
        h = h + dense(layer++, inner);
    }
    return dense(layer, h);
}

std::pair<Tensor, Tensor> InternalFlowModule::toBase(const Tensor& parameters,
                                                     const Tensor& coordinates) const {
    std::vector<Tensor> parts = parameters.split_with_sizes(partSizes);
    Tensor x = coordinates;
    Tensor logVolume = at::zeros({x.size(1)}, x.options());
    for (const Coupling& coupling : couplings) {
        x = x.index_select(0, coupling.order);
        const int64_t n = coupling.splines.numCoordinates();
        Tensor conditioning = x.narrow(0, n, x.size(0) - n);
        Tensor outputs = conditioner(coupling, parts, conditioning);
        auto [inverted, logDerivative] = invertSplines(x.narrow(0, 0, n), outputs, coupling.splines);
        logVolume = logVolume + logDerivative;
        x = at::cat({inverted, conditioning});
    }
    return {x, logVolume};
}

Tensor InternalFlowModule::logDensity(const Tensor& parameters, const Tensor& coordinates) const {
    const auto [z, logVolume] = toBase(parameters, coordinates);
    const double numLinear = (double)linearRows.size(0), numCircular = (double)z.size(0) - numLinear;
    const double constant = -0.5 * numLinear * std::log(2 * M_PI) - numCircular * std::log(2 * M_PI);
    return logVolume - 0.5 * z.index_select(0, linearRows).square().sum(0) + constant;
}
