#include "CouplingModelReader.h"

#include "openmm/OpenMMException.h"

namespace OpenMMFlow {

using nlohmann::json;
using std::string;
using std::vector;

CouplingModelReader::CouplingModelReader(const TensorFile& file)
    : file(file), entries(file), numParticles(entries.getInteger("particles")) {
    particles.dimensions = entries.getInteger("dimensions");
    particles.copies = entries.getInteger("copies");
    particles.augmentedScale = entries.getReal("augmented_scale");
    base.scale = entries.getReal("base_scale");
    base.augmentedScale = entries.getReal("base_augmented_scale");
    isHarmonic = entries.getChoice("base", {"gaussian", "harmonic"}) == 1;
}

void CouplingModelReader::readConfiguration(CouplingModel::Configuration& configuration) {
    configuration.scaling = entries.getBoolean("scaling");
    configuration.layers = entries.getInteger("layers");
    configuration.bins = entries.getInteger("bins");
    configuration.range = entries.getReal("range");
    configuration.minBinFraction = entries.getReal("min_bin_fraction");
    configuration.minDerivative = entries.getReal("min_derivative");
    configuration.lengthUnit = entries.getReal("length_unit");
}

void CouplingModelReader::readTensors() {
    entries.requireAllRead();
    for (int64_t type : file.getIntegers("types", {numParticles}, 0, numParticles))
        particles.types.push_back((int)type);
    if (!isHarmonic)
        return;
    const vector<int64_t> shape = file.getShape("base.bonds");
    const vector<int64_t> bonds =
        file.getIntegers("base.bonds", {shape.empty() ? 0 : shape[0], 2}, 0, numParticles);
    for (size_t k = 0; k < bonds.size(); k += 2)
        base.bonds.emplace_back((int)bonds[k], (int)bonds[k + 1]);
    if (bonds.empty())
        file.fail("its harmonic base has no bonds");
}

void CouplingModelReader::create(const std::function<void()>& make) const {
    try {
        make();
    } catch (const OpenMM::OpenMMException& e) {
        const string text = e.what();
        if (text.compare(0, 7, "Invalid") != 0)
            throw;
        throw OpenMM::OpenMMException("Cannot read " + file.getDescription() + ": " + text);
    }
}

json describeCoupling(const CouplingModel& model, const CouplingModel::Configuration& configuration) {
    return {{"particles", model.getNumParticles()},
            {"dimensions", model.getParticles().dimensions},
            {"copies", model.getParticles().copies},
            {"augmented_scale", model.getParticles().augmentedScale},
            {"base", model.getBase().bonds.empty() ? "gaussian" : "harmonic"},
            {"base_scale", model.getBase().scale},
            {"base_augmented_scale", model.getBase().augmentedScale},
            {"scaling", configuration.scaling},
            {"layers", configuration.layers},
            {"bins", configuration.bins},
            {"range", configuration.range},
            {"min_bin_fraction", configuration.minBinFraction},
            {"min_derivative", configuration.minDerivative},
            {"length_unit", configuration.lengthUnit}};
}

}  // namespace OpenMMFlow
