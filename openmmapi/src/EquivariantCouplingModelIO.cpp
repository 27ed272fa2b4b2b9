#include <algorithm>

#include "ConfigurationReader.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/internal/EquivariantCouplingModel.h"
#include "openmmflow/internal/TensorFile.h"

namespace OpenMMFlow {

using nlohmann::json;
using std::string;
using std::vector;

namespace {

/** In the order of EquivariantCouplingModel::Transform. */
const vector<string> transformNames = {"spherical", "cartesian-affine", "cartesian-spline", "vector"};

}  // namespace

EquivariantCouplingModel::Transform EquivariantCouplingModel::getTransform(const string& name) {
    const auto found = std::find(transformNames.begin(), transformNames.end(), name);
    if (found == transformNames.end())
        throw OpenMM::OpenMMException("There is no transform '" + name
                                      + "': choose spherical, cartesian-affine, cartesian-spline or vector.");
    return (Transform)(found - transformNames.begin());
}

std::shared_ptr<const EquivariantCouplingModel> EquivariantCouplingModel::read(const TensorFile& file) {
    ConfigurationReader reader(file);
    Particles particles;
    Base base;
    Configuration configuration;
    const int64_t numParticles = reader.getInteger("particles");
    particles.dimensions = reader.getInteger("dimensions");
    particles.copies = reader.getInteger("copies");
    particles.augmentedScale = reader.getReal("augmented_scale");
    base.scale = reader.getReal("base_scale");
    base.augmentedScale = reader.getReal("base_augmented_scale");
    configuration.transform = (Transform)reader.getChoice("transform", transformNames);
    configuration.repeats = reader.getInteger("repeats");
    configuration.reflections = reader.getBoolean("reflections");
    configuration.scaling = reader.getBoolean("scaling");
    configuration.layers = reader.getInteger("layers");
    configuration.blocks = reader.getInteger("blocks");
    configuration.hidden = reader.getInteger("hidden");
    configuration.features = reader.getInteger("features");
    configuration.headHidden = reader.getInteger("head_hidden");
    configuration.bins = reader.getInteger("bins");
    configuration.range = reader.getReal("range");
    configuration.minBinFraction = reader.getReal("min_bin_fraction");
    configuration.minDerivative = reader.getReal("min_derivative");
    configuration.lengthUnit = reader.getReal("length_unit");
    const bool isHarmonic = reader.getChoice("base", {"gaussian", "harmonic"}) == 1;
    reader.requireAllRead();
    for (int64_t type : file.getIntegers("types", {numParticles}, 0, numParticles))
        particles.types.push_back((int)type);
    if (isHarmonic) {
        const vector<int64_t> shape = file.getShape("base.bonds");
        const vector<int64_t> bonds =
            file.getIntegers("base.bonds", {shape.empty() ? 0 : shape[0], 2}, 0, numParticles);
        for (size_t k = 0; k < bonds.size(); k += 2)
            base.bonds.emplace_back((int)bonds[k], (int)bonds[k + 1]);
        if (bonds.empty())
            file.fail("its harmonic base has no bonds");
    }
    try {
        std::shared_ptr<EquivariantCouplingModel> model(
            new EquivariantCouplingModel(particles, base, configuration));
        model->setParameters(model->places.layout.read(file));
        return model;
    } catch (const OpenMM::OpenMMException& e) {
        const string text = e.what();
        if (text.compare(0, 7, "Invalid") != 0)
            throw;
        throw OpenMM::OpenMMException("Cannot read " + file.getDescription() + ": " + text);
    }
}

string EquivariantCouplingModel::getConfiguration() const {
    json result = {{"particles", getNumParticles()},
                   {"dimensions", getParticles().dimensions},
                   {"copies", getParticles().copies},
                   {"augmented_scale", getParticles().augmentedScale},
                   {"base", getBase().bonds.empty() ? "gaussian" : "harmonic"},
                   {"base_scale", getBase().scale},
                   {"base_augmented_scale", getBase().augmentedScale},
                   {"transform", transformNames[(int)configuration.transform]},
                   {"repeats", configuration.repeats},
                   {"reflections", configuration.reflections},
                   {"scaling", configuration.scaling},
                   {"layers", configuration.layers},
                   {"blocks", configuration.blocks},
                   {"hidden", configuration.hidden},
                   {"features", configuration.features},
                   {"head_hidden", configuration.headHidden},
                   {"bins", configuration.bins},
                   {"range", configuration.range},
                   {"min_bin_fraction", configuration.minBinFraction},
                   {"min_derivative", configuration.minDerivative},
                   {"length_unit", configuration.lengthUnit}};
    return result.dump();
}

void EquivariantCouplingModel::write(TensorFile& file) const {
    file.getMetadata()["family"] = getFamily();
    file.getMetadata()["configuration"] = getConfiguration();
    const vector<int>& types = getParticles().types;
    file.setIntegers("types", {getNumParticles()}, {types.begin(), types.end()});
    vector<int64_t> bonds;
    for (const auto& [i, j] : getBase().bonds) {
        bonds.push_back(i);
        bonds.push_back(j);
    }
    if (!bonds.empty())
        file.setIntegers("base.bonds", {(int64_t)bonds.size() / 2, 2}, bonds);
    places.layout.write(file, parameters);
}

}  // namespace OpenMMFlow
