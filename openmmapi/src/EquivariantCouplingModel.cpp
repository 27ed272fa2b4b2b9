#include "openmmflow/internal/EquivariantCouplingModel.h"

#include <cmath>
#include <utility>

namespace OpenMMFlow {

using std::string;
using std::to_string;
using std::vector;

EquivariantCouplingModel::EquivariantCouplingModel(const Particles& particles, const Base& base,
                                                   const Configuration& configuration)
    : CouplingModel("equivariant coupling flow", particles, base, configuration),
      configuration(configuration) {
    checkConfiguration();
    layOut();
}

EquivariantCouplingModel::EquivariantCouplingModel(const Particles& particles, const Base& base,
                                                   const Configuration& configuration, unsigned seed)
    : EquivariantCouplingModel(particles, base, configuration) {
    createParameters(places.layout, seed);
}

EquivariantCouplingModel::EquivariantCouplingModel(const Particles& particles, const Base& base,
                                                   const Configuration& configuration,
                                                   const vector<double>& parameters)
    : EquivariantCouplingModel(particles, base, configuration) {
    setParameters(places.layout, parameters);
}

void EquivariantCouplingModel::checkConfiguration() const {
    checkNumber("blocks", configuration.blocks, 1, 20);
    checkNumber("hidden units", configuration.hidden, 1, 4096);
    checkNumber("features", configuration.features, 1, 4096);
    checkNumber("hidden units of the heads", configuration.headHidden, 1, 4096);
    checkNumber("repeats", configuration.repeats, 1, 16);
    if (getParticles().dimensions == 3 && getNumParticles() < 3
        && configuration.transform != Transform::Vector)
        fail("two particles in three dimensions span no frame; use the transform 'vector'");
    const double width = configuration.hidden, features = configuration.features,
                 head = configuration.headHidden;
    const double sizes = configuration.blocks * width * (8 * width + 4 * features)
                         + configuration.repeats * head * (features + head + 99.0 * 3 * getNumClouds());
    checkNumParameters(2 * configuration.layers * sizes);
}

const string& EquivariantCouplingModel::getFamily() const {
    static const string family = "equivariant-coupling";
    return family;
}

int EquivariantCouplingModel::getVectorsPerFrame() const {
    return configuration.transform == Transform::Vector ? 1 : getParticles().dimensions;
}

int EquivariantCouplingModel::getNumCoordinates() const {
    return configuration.transform == Transform::Vector ? 1 : getParticles().dimensions;
}

int EquivariantCouplingModel::getParametersPerCoordinate() const {
    return configuration.transform == Transform::CartesianAffine ? 2 : 3 * configuration.bins + 1;
}

int EquivariantCouplingModel::getNumVectors(const CouplingPlace& coupling) const {
    return (int)coupling.transformed.size() * configuration.repeats * getVectorsPerFrame();
}

EquivariantCouplingModel::BlockPlace EquivariantCouplingModel::layOutBlock(const string& name, int index,
                                                                           int numVectors, int numClouds) {
    // Frames are small at first, so that points are described by where they are relative to the same particle
    // of the other cloud.
    const double smallBound = 0.01;
    const int hidden = configuration.hidden, features = configuration.features;
    const int crossed = index == 0 ? 0 : numVectors * (numVectors - 1) / 2;
    const int distances = index == 0 ? numClouds : numVectors;
    const double bound = 1 / std::sqrt(2.0 * (features + crossed) + distances);
    ParameterLayout& layout = places.layout;
    BlockPlace block;
    block.receiver = layout.addLayer(name + ".edge.receiver", features + crossed, hidden, bound);
    block.sender = layout.addLayer(name + ".edge.sender", features + crossed, hidden, bound, false);
    block.distances = layout.addLayer(name + ".edge.distances", distances, hidden, bound, false);
    block.edge = layout.addLayer(name + ".edge.second", hidden, hidden);
    block.gate = layout.addLayer(name + ".gate", hidden, 1);
    block.shift = layout.addResidual(name + ".shift", hidden, hidden);
    block.shiftOutput = layout.addLayer(name + ".shift.output", hidden, numVectors, smallBound);
    if (crossed > 0) {
        block.cross = layout.addResidual(name + ".cross", hidden, hidden);
        block.crossOutput =
            layout.addLayer(name + ".cross.output", hidden, numVectors * (numVectors - 1), smallBound);
    }
    block.node = layout.addResidual(name + ".node", hidden + features, hidden);
    block.nodeOutput = layout.addLayer(name + ".node.output", hidden, features);
    return block;
}

void EquivariantCouplingModel::layOut() {
    ParameterLayout& layout = places.layout;
    layOutLayers(configuration, layout, places.scaling, [&](const string& name, const CloudSets& sets) {
        CouplingPlace coupling{sets, 0, {}, {}};
        const int numVectors = getNumVectors(coupling);
        // Uniform with unit variance.
        coupling.embedding =
            layout.addTensor(name + ".embedding", {getNumTypes(), configuration.features}, std::sqrt(3.0));
        for (int b = 0; b < configuration.blocks; b++)
            coupling.blocks.push_back(layOutBlock(name + ".blocks." + to_string(b), b, numVectors,
                                                  (int)coupling.conditioning.size()));
        const int outputs =
            (int)coupling.transformed.size() * getNumCoordinates() * getParametersPerCoordinate();
        for (int r = 0; r < configuration.repeats; r++) {
            const string head = name + ".heads." + to_string(r);
            const ResidualPlace hidden =
                layout.addResidual(head, configuration.features, configuration.headHidden);
            coupling.heads.push_back(
                {hidden, layout.addLayer(head + ".output", configuration.headHidden, outputs, 0)});
        }
        places.couplings.push_back(std::move(coupling));
    });
}

}  // namespace OpenMMFlow
