#include "openmmflow/internal/InternalFlowModel.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "PortableRandom.h"
#include "openmm/OpenMMException.h"

namespace OpenMMFlow {

using OpenMM::OpenMMException;
using std::string;
using std::to_string;
using std::vector;

namespace {

using Configuration = InternalFlowModel::Configuration;
using FeatureProduct = InternalFlowModel::FeatureProduct;

const int64_t maxParameters = 1000000000, maxFeatures = 10000000;

[[noreturn]] void throwInvalidFlow(const string& reason) {
    throw OpenMMException("Invalid internal flow: " + reason + ".");
}

void checkRange(const char* subject, int value, int minimum, int maximum) {
    if (value < minimum || value > maximum)
        throwInvalidFlow("the number of " + string(subject) + " must lie in " + to_string(minimum) + " to "
                         + to_string(maximum) + ", and " + to_string(value) + " does not");
}

void checkConfiguration(const Configuration& configuration) {
    checkRange("couplings", configuration.couplings, 1, 1000);
    checkRange("hidden units", configuration.hidden, 1, 16384);
    checkRange("blocks", configuration.blocks, 0, 100);
    checkRange("bins", configuration.bins, 2, 32);
    checkRange("linear bins", configuration.linearBins, 2, 32);
    checkRange("harmonics", configuration.harmonics, 1, 32);
    // Negated, so that NaN fails too.
    if (!(configuration.tailBound >= 0.1 && configuration.tailBound <= 1000))
        throwInvalidFlow("the tail bound must lie in 0.1 to 1000");
    const int mostBins = std::max(configuration.bins, configuration.linearBins);
    if (!(configuration.minBinFraction >= 1e-6 && configuration.minBinFraction * mostBins <= 0.9))
        throwInvalidFlow(
            "the minimum bin fraction must be at least 1e-6 and at most 0.9 divided by the number of bins");
    if (!(configuration.minDerivative >= 1e-6 && configuration.minDerivative <= 0.9))
        throwInvalidFlow("the minimum derivative must lie in 1e-6 to 0.9");
}

vector<FeatureProduct> placeProducts(const InternalCoordinates& coordinates, const vector<int>& conditioning,
                                     const Configuration& configuration) {
    vector<int> circular;
    int next = 0;
    for (int j : conditioning) {
        if (coordinates.circular[j])
            circular.push_back(next);
        next += configuration.getNumFeatures(coordinates.circular[j]);
    }
    vector<FeatureProduct> products;
    for (size_t a = 0; configuration.products && a < circular.size(); a++)
        for (size_t b = a + 1; b < circular.size(); b++) {
            products.push_back({circular[a], circular[b], next});
            next += 4;
        }
    return products;
}

int countFeatures(const InternalCoordinates& coordinates, const vector<int>& conditioning,
                  const Configuration& configuration) {
    int64_t count = 0, circular = 0;
    for (int j : conditioning) {
        count += configuration.getNumFeatures(coordinates.circular[j]);
        circular += coordinates.circular[j];
    }
    if (configuration.products)
        count += 2 * circular * (circular - 1);
    if (count > maxFeatures)
        throwInvalidFlow("a network would have more than " + to_string(maxFeatures)
                         + " features; do without products, or with fewer harmonics");
    return (int)count;
}

int countOutputs(const InternalCoordinates& coordinates, const vector<int>& transformed,
                 const Configuration& configuration) {
    int count = 0;
    for (int j : transformed)
        count += configuration.getNumSplineParameters(coordinates.circular[j]);
    return count;
}

/**
 * Choose half of the coordinates: of the bonds, angles, linear torsions and circular torsions half each. The
 * halves of odd numbers are rounded up and down in turn, beginning at random.
 */
vector<char> createMask(const InternalCoordinates& coordinates, PortableRandom& random) {
    int n = coordinates.getNumParticles(), numCoordinates = coordinates.getNumCoordinates();
    vector<vector<int>> kinds(4);
    for (int j = 0; j < numCoordinates; j++)
        kinds[j < n - 1 ? 0 : j < 2 * n - 3 ? 1 : coordinates.circular[j] ? 3 : 2].push_back(j);
    vector<char> mask(numCoordinates, false);
    bool roundUp = random.index(2);
    for (vector<int>& kind : kinds) {
        int size = (int)kind.size(), half = size / 2;
        if (size % 2 == 1) {
            half += roundUp;
            roundUp = !roundUp;
        }
        for (int i = 0; i < half; i++) {
            std::swap(kind[i], kind[i + random.index(size - i)]);
            mask[kind[i]] = true;
        }
    }
    return mask;
}

/**
 * A layer with the initial values that torch.nn.Linear has: weight (He's initialisation for a leaky
 * rectifier) and bias uniform within 1/sqrt(inputs).
 */
DenseLayer createLayer(int inputs, int outputs, PortableRandom& random) {
    DenseLayer layer{inputs, outputs, vector<double>((size_t)inputs * outputs), vector<double>(outputs)};
    double bound = 1 / std::sqrt((double)inputs);
    for (double& value : layer.weight)
        value = random.symmetric(bound);
    for (double& value : layer.bias)
        value = random.symmetric(bound);
    return layer;
}

/** Couplings come in pairs: the second of a pair transforms what the first does not. */
vector<SplineCoupling> createCouplings(const InternalCoordinates& coordinates,
                                       const Configuration& configuration, unsigned seed) {
    checkConfiguration(configuration);
    coordinates.validate();
    int numCoordinates = coordinates.getNumCoordinates(), hidden = configuration.hidden;
    int64_t parameters =
        configuration.couplings * (int64_t)hidden
        * (2 * (int64_t)configuration.blocks * hidden
           + (3 * std::max(configuration.bins, configuration.linearBins) + 3) * (int64_t)numCoordinates);
    auto checkSize = [&] {
        if (parameters > maxParameters)
            throwInvalidFlow("it would have more than " + to_string(maxParameters) + " parameters");
    };
    checkSize();
    PortableRandom random(seed);
    vector<SplineCoupling> couplings(configuration.couplings);
    vector<char> mask;
    for (int l = 0; l < configuration.couplings; l++) {
        SplineCoupling& coupling = couplings[l];
        if (l % 2 == 0)
            mask = createMask(coordinates, random);
        for (int j = 0; j < numCoordinates; j++)
            ((bool)mask[j] == (l % 2 == 0) ? coupling.transformed : coupling.conditioning).push_back(j);
        const int features = countFeatures(coordinates, coupling.conditioning, configuration);
        parameters += (int64_t)features * hidden;
        checkSize();
        coupling.input = createLayer(features, hidden, random);
        for (int b = 0; b < configuration.blocks; b++) {
            DenseLayer first = createLayer(hidden, hidden, random);
            coupling.blocks.emplace_back(std::move(first), createLayer(hidden, hidden, random));
        }
        int outputs = countOutputs(coordinates, coupling.transformed, configuration);
        coupling.output = {hidden, outputs, vector<double>((size_t)hidden * outputs),
                           vector<double>(outputs)};
    }
    return couplings;
}

void checkLayer(const DenseLayer& layer, int inputs, int outputs, const string& subject) {
    if (layer.inputs != inputs || layer.outputs != outputs || layer.weight.size() != (size_t)inputs * outputs
        || layer.bias.size() != (size_t)outputs)
        throwInvalidFlow(subject + " is not a layer of " + to_string(inputs) + " inputs and "
                         + to_string(outputs) + " outputs");
    for (const vector<double>* values : {&layer.weight, &layer.bias})
        for (double value : *values)
            if (!(std::abs(value) <= std::numeric_limits<float>::max()))
                throwInvalidFlow(subject + " has a weight that is not a finite number in single precision");
}

void checkCoupling(const SplineCoupling& coupling, const InternalCoordinates& coordinates,
                   const Configuration& configuration, const string& subject) {
    vector<int> all(coupling.transformed);
    all.insert(all.end(), coupling.conditioning.begin(), coupling.conditioning.end());
    std::sort(all.begin(), all.end());
    bool partition = (int)all.size() == coordinates.getNumCoordinates() && !coupling.transformed.empty()
                     && !coupling.conditioning.empty();
    for (size_t j = 0; partition && j < all.size(); j++)
        partition = all[j] == (int)j;
    if (!partition)
        throwInvalidFlow(
            subject
            + " does not divide the coordinates into those that it transforms and those that it depends on");
    // In a file they are a mask, which has no other order.
    if (!std::is_sorted(coupling.transformed.begin(), coupling.transformed.end())
        || !std::is_sorted(coupling.conditioning.begin(), coupling.conditioning.end()))
        throwInvalidFlow(subject + " does not list its coordinates in ascending order");
    checkLayer(coupling.input, countFeatures(coordinates, coupling.conditioning, configuration),
               configuration.hidden, "the input of " + subject);
    if ((int)coupling.blocks.size() != configuration.blocks)
        throwInvalidFlow(subject + " does not have " + to_string(configuration.blocks) + " blocks");
    for (const auto& [first, second] : coupling.blocks) {
        checkLayer(first, configuration.hidden, configuration.hidden, "a block of " + subject);
        checkLayer(second, configuration.hidden, configuration.hidden, "a block of " + subject);
    }
    checkLayer(coupling.output, configuration.hidden,
               countOutputs(coordinates, coupling.transformed, configuration), "the output of " + subject);
}

}  // namespace

InternalFlowModel::InternalFlowModel(const InternalCoordinates& coordinates,
                                     const Configuration& configuration, unsigned seed)
    : InternalFlowModel(coordinates, configuration, createCouplings(coordinates, configuration, seed)) {}

InternalFlowModel::InternalFlowModel(const InternalCoordinates& coordinates,
                                     const Configuration& configuration,
                                     const vector<SplineCoupling>& couplings)
    : coordinates(coordinates), configuration(configuration), couplings(couplings) {
    checkConfiguration(configuration);
    coordinates.validate();
    if ((int)couplings.size() != configuration.couplings)
        throwInvalidFlow("it does not have " + to_string(configuration.couplings) + " couplings");
    for (size_t l = 0; l < couplings.size(); l++)
        checkCoupling(couplings[l], coordinates, configuration, "coupling " + to_string(l));
}

const string& InternalFlowModel::getFamily() const {
    static const string family = "internal";
    return family;
}

int InternalFlowModel::getNumFeatures(const SplineCoupling& coupling) const {
    return countFeatures(coordinates, coupling.conditioning, configuration);
}

vector<FeatureProduct> InternalFlowModel::getFeatureProducts(const SplineCoupling& coupling) const {
    return placeProducts(coordinates, coupling.conditioning, configuration);
}

int InternalFlowModel::getNumOutputs(const SplineCoupling& coupling) const {
    return countOutputs(coordinates, coupling.transformed, configuration);
}

double InternalFlowModel::getLogDensityConstant() const {
    double result = 1.5 * std::log((double)getNumParticles()) - std::log(8 * M_PI * M_PI);
    for (int j = 0; j < coordinates.getNumCoordinates(); j++)
        if (!coordinates.circular[j])
            result -= std::log(coordinates.scale[j]);
    return result;
}

}  // namespace OpenMMFlow
