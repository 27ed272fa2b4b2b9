#include "openmmflow/internal/EquivariantCouplingModel.h"

#include <cmath>
#include <limits>

#include "openmm/OpenMMException.h"

namespace OpenMMFlow {

using std::string;
using std::to_string;
using std::vector;

namespace {

using Configuration = EquivariantCouplingModel::Configuration;
using Transform = EquivariantCouplingModel::Transform;

const double maxCouplingParameters = 1e9;

[[noreturn]] void throwInvalidCouplingFlow(const string& reason) {
    throw OpenMM::OpenMMException("Invalid equivariant coupling flow: " + reason + ".");
}

void checkCouplingRange(const char* subject, int value, int minimum, int maximum) {
    if (value < minimum || value > maximum)
        throwInvalidCouplingFlow("the number of " + string(subject) + " must lie in " + to_string(minimum)
                                 + " to " + to_string(maximum) + ", and " + to_string(value) + " does not");
}

void checkCouplingConfiguration(const Configuration& configuration,
                                const AugmentedFlowModel::Particles& particles) {
    checkCouplingRange("layers", configuration.layers, 1, 200);
    checkCouplingRange("blocks", configuration.blocks, 1, 20);
    checkCouplingRange("hidden units", configuration.hidden, 1, 4096);
    checkCouplingRange("features", configuration.features, 1, 4096);
    checkCouplingRange("hidden units of the heads", configuration.headHidden, 1, 4096);
    checkCouplingRange("bins", configuration.bins, 2, 32);
    checkCouplingRange("repeats", configuration.repeats, 1, 16);
    if (!(configuration.range >= 1e-3 && configuration.range <= 1e6))
        throwInvalidCouplingFlow("the range of the splines must lie in 1e-3 to 1e6 nm");
    if (!(configuration.lengthUnit >= 1e-6 && configuration.lengthUnit <= 1e6))
        throwInvalidCouplingFlow("the unit of length must lie in 1e-6 to 1e6 nm");
    if (!(configuration.minBinFraction >= 1e-6 && configuration.minBinFraction * configuration.bins <= 0.9))
        throwInvalidCouplingFlow(
            "the minimum bin fraction must be at least 1e-6 and at most 0.9 divided by the number of bins");
    if (!(configuration.minDerivative >= 1e-6 && configuration.minDerivative <= 0.9))
        throwInvalidCouplingFlow("the minimum derivative must lie in 1e-6 to 0.9");
    if (particles.dimensions == 3 && particles.types.size() < 3
        && configuration.transform != Transform::Vector)
        throwInvalidCouplingFlow(
            "two particles in three dimensions span no frame; use the transform 'vector'");
    const double width = configuration.hidden, features = configuration.features,
                 head = configuration.headHidden;
    const double sizes =
        configuration.blocks * width * (8 * width + 4 * features)
        + configuration.repeats * head * (features + head + 99.0 * 3 * (particles.copies + 1));
    if (2 * configuration.layers * sizes > maxCouplingParameters)
        throwInvalidCouplingFlow("it would have more than 1e9 parameters");
}

}  // namespace

EquivariantCouplingModel::EquivariantCouplingModel(const Particles& particles, const Base& base,
                                                   const Configuration& configuration)
    : AugmentedFlowModel(particles, base), configuration(configuration) {
    checkCouplingConfiguration(configuration, particles);
    layOut();
}

EquivariantCouplingModel::EquivariantCouplingModel(const Particles& particles, const Base& base,
                                                   const Configuration& configuration, unsigned seed)
    : EquivariantCouplingModel(particles, base, configuration) {
    parameters = places.layout.createInitialValues(seed);
}

EquivariantCouplingModel::EquivariantCouplingModel(const Particles& particles, const Base& base,
                                                   const Configuration& configuration,
                                                   const vector<double>& parameters)
    : EquivariantCouplingModel(particles, base, configuration) {
    setParameters(parameters);
}

void EquivariantCouplingModel::setParameters(const vector<double>& values) {
    if (values.size() != places.layout.getNumParameters())
        throwInvalidCouplingFlow("it has " + to_string(places.layout.getNumParameters()) + " parameters, and "
                                 + to_string(values.size()) + " are given");
    for (double value : values)
        if (!(std::abs(value) <= std::numeric_limits<float>::max()))
            throwInvalidCouplingFlow("a parameter is not a finite number in single precision");
    parameters = values;
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

EquivariantCouplingModel::ResidualPlace EquivariantCouplingModel::layOutResidual(const string& name,
                                                                                 int inputs, int hidden) {
    const LayerPlace first = places.layout.addLayer(name + ".first", inputs, hidden);
    return {first, places.layout.addLayer(name + ".second", hidden, hidden)};
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
    block.shift = layOutResidual(name + ".shift", hidden, hidden);
    block.shiftOutput = layout.addLayer(name + ".shift.output", hidden, numVectors, smallBound);
    if (crossed > 0) {
        block.cross = layOutResidual(name + ".cross", hidden, hidden);
        block.crossOutput =
            layout.addLayer(name + ".cross.output", hidden, numVectors * (numVectors - 1), smallBound);
    }
    block.node = layOutResidual(name + ".node", hidden + features, hidden);
    block.nodeOutput = layout.addLayer(name + ".node.output", hidden, features);
    return block;
}

void EquivariantCouplingModel::layOut() {
    ParameterLayout& layout = places.layout;
    const int numClouds = getNumClouds(), numFirst = (numClouds + 1) / 2;
    vector<int> sets[2];
    for (int cloud = 0; cloud < numClouds; cloud++)
        sets[cloud >= numFirst].push_back(cloud);
    for (int l = 0; l < configuration.layers; l++) {
        if (configuration.scaling)
            places.scaling.push_back(
                layout.addTensor("layers." + to_string(l) + ".scaling", {2 * numClouds - 1}, 0));
        for (int set : {1, 0}) {
            const string name = "couplings." + to_string(places.couplings.size());
            CouplingPlace coupling{sets[set], sets[1 - set], 0, {}, {}};
            const int numVectors = getNumVectors(coupling);
            // Uniform with unit variance.
            coupling.embedding = layout.addTensor(name + ".embedding",
                                                  {getNumTypes(), configuration.features}, std::sqrt(3.0));
            for (int b = 0; b < configuration.blocks; b++)
                coupling.blocks.push_back(layOutBlock(name + ".blocks." + to_string(b), b, numVectors,
                                                      (int)coupling.conditioning.size()));
            const int outputs =
                (int)coupling.transformed.size() * getNumCoordinates() * getParametersPerCoordinate();
            for (int r = 0; r < configuration.repeats; r++) {
                const string head = name + ".heads." + to_string(r);
                const ResidualPlace hidden =
                    layOutResidual(head, configuration.features, configuration.headHidden);
                coupling.heads.push_back(
                    {hidden, layout.addLayer(head + ".output", configuration.headHidden, outputs, 0)});
            }
            places.couplings.push_back(std::move(coupling));
        }
    }
}

}  // namespace OpenMMFlow
