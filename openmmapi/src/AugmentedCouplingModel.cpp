#include "openmmflow/internal/AugmentedCouplingModel.h"

#include <cmath>
#include <utility>

namespace OpenMMFlow {

using std::string;
using std::to_string;
using std::vector;

AugmentedCouplingModel::AugmentedCouplingModel(const Particles& particles, const Base& base,
                                               const Configuration& configuration)
    : CouplingModel("augmented coupling flow", particles, base, configuration), configuration(configuration) {
    checkConfiguration();
    layOut();
}

AugmentedCouplingModel::AugmentedCouplingModel(const Particles& particles, const Base& base,
                                               const Configuration& configuration, unsigned seed)
    : AugmentedCouplingModel(particles, base, configuration) {
    createParameters(places.layout, seed);
}

AugmentedCouplingModel::AugmentedCouplingModel(const Particles& particles, const Base& base,
                                               const Configuration& configuration,
                                               const vector<double>& parameters)
    : AugmentedCouplingModel(particles, base, configuration) {
    setParameters(places.layout, parameters);
}

void AugmentedCouplingModel::checkConfiguration() const {
    checkNumber("blocks", configuration.blocks, 1, 20);
    checkNumber("attention heads", configuration.attentionHeads, 1, 64);
    checkNumber("features of an attention head", configuration.keySize, 1, 1024);
    checkNumber("hidden units", configuration.hidden, 1, 4096);
    checkNumber("hidden units of the heads", configuration.headHidden, 1, 4096);
    const double width = getNumFeatures(), hidden = configuration.hidden, head = configuration.headHidden;
    const double sizes = configuration.blocks * (4 * width * width + hidden * (2 * width + hidden))
                         + head * (width + head + 99.0 * 3 * getNumClouds());
    checkNumParameters(2 * configuration.layers * sizes);
}

const string& AugmentedCouplingModel::getFamily() const {
    static const string family = "augmented-coupling";
    return family;
}

int AugmentedCouplingModel::getParametersPerCoordinate() const {
    return configuration.transform == Transform::Affine ? 2 : 3 * configuration.bins + 1;
}

AugmentedCouplingModel::BlockPlace AugmentedCouplingModel::layOutBlock(const string& name) {
    const int width = getNumFeatures(), hidden = configuration.hidden;
    const double bound = 1 / std::sqrt((double)width);
    ParameterLayout& layout = places.layout;
    BlockPlace block;
    block.query = layout.addLayer(name + ".query", width, width);
    block.key = layout.addLayer(name + ".key", width, width, bound, false);
    block.value = layout.addLayer(name + ".value", width, width, bound, false);
    block.attention = layout.addLayer(name + ".attention", width, width);
    block.feedForward = layout.addResidual(name + ".feed_forward", width, hidden);
    block.output = layout.addLayer(name + ".feed_forward.output", hidden, width);
    return block;
}

void AugmentedCouplingModel::layOut() {
    ParameterLayout& layout = places.layout;
    layOutLayers(configuration, layout, places.scaling, [&](const string& name, const CloudSets& sets) {
        const int dimensions = getParticles().dimensions, width = getNumFeatures();
        const int inputs = dimensions * (int)sets.conditioning.size();
        const int outputs = dimensions * (int)sets.transformed.size() * getParametersPerCoordinate();
        CouplingPlace coupling{sets, {}, 0, {}, {}, {}};
        coupling.input =
            layout.addLayer(name + ".input", inputs, width, 1 / std::sqrt((double)inputs), false);
        // Uniform with unit variance.
        coupling.embedding = layout.addTensor(name + ".embedding", {getNumTypes(), width}, std::sqrt(3.0));
        for (int b = 0; b < configuration.blocks; b++)
            coupling.blocks.push_back(layOutBlock(name + ".blocks." + to_string(b)));
        coupling.head = layout.addResidual(name + ".head", width, configuration.headHidden);
        coupling.output = layout.addLayer(name + ".head.output", configuration.headHidden, outputs, 0);
        places.couplings.push_back(std::move(coupling));
    });
}

}  // namespace OpenMMFlow
