#include "CompactReals.h"
#include "ConfigurationReader.h"
#include "Quote.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/internal/InternalFlowModel.h"
#include "openmmflow/internal/TensorFile.h"

namespace OpenMMFlow {

using nlohmann::json;
using std::string;
using std::to_string;
using std::vector;

namespace {

using Activation = InternalFlowModel::Activation;

string nameCoupling(size_t l) {
    return "couplings." + to_string(l);
}

string nameBlock(size_t l, size_t b) {
    return nameCoupling(l) + ".blocks." + to_string(b);
}

DenseLayer readLayer(const TensorFile& file, const string& name, int outputs) {
    vector<int64_t> shape = file.getShape(name + ".weight");
    if (shape.size() != 2 || shape[0] != outputs || shape[1] > 10000000)
        file.fail("the tensor " + quote(name + ".weight") + " is not a matrix of " + to_string(outputs)
                  + " rows");
    return {(int)shape[1], outputs, file.getReals(name + ".weight", shape),
            file.getReals(name + ".bias", {outputs})};
}

void writeLayer(TensorFile& file, const string& name, const DenseLayer& layer) {
    setCompactReals(file, name + ".weight", {layer.outputs, layer.inputs}, layer.weight);
    setCompactReals(file, name + ".bias", {layer.outputs}, layer.bias);
}

}  // namespace

std::shared_ptr<const InternalFlowModel> InternalFlowModel::read(const TensorFile& file) {
    ConfigurationReader reader(file);
    Configuration configuration;
    configuration.couplings = reader.getInteger("couplings");
    configuration.hidden = reader.getInteger("hidden");
    configuration.blocks = reader.getInteger("blocks");
    configuration.bins = reader.getInteger("bins");
    // Files of the first release have none of these.
    configuration.linearBins = reader.getInteger("linear_bins", configuration.bins);
    configuration.harmonics = reader.getInteger("harmonics", 1);
    configuration.products = reader.getBoolean("products", false);
    configuration.activation =
        reader.getChoice("activation", {"relu", "silu"}) == 0 ? Activation::ReLU : Activation::SiLU;
    configuration.tailBound = reader.getReal("tail_bound");
    configuration.minBinFraction = reader.getReal("min_bin_fraction");
    configuration.minDerivative = reader.getReal("min_derivative");
    vector<string> atomNames = reader.getStrings("atom_names");
    reader.requireAllRead();
    InternalCoordinates coordinates = InternalCoordinates::read(file);
    coordinates.atomNames = atomNames;
    int64_t numCoordinates = coordinates.getNumCoordinates();
    vector<SplineCoupling> couplings;
    // What is allocated stays within what the file holds, since each tensor must be there before the next is
    // asked for.
    for (int l = 0; l < configuration.couplings; l++) {
        SplineCoupling coupling;
        vector<int64_t> mask = file.getIntegers(nameCoupling(l) + ".transformed", {numCoordinates}, 0, 1);
        for (int j = 0; j < numCoordinates; j++)
            (mask[j] ? coupling.transformed : coupling.conditioning).push_back(j);
        coupling.input = readLayer(file, nameCoupling(l) + ".input", configuration.hidden);
        for (int b = 0; b < configuration.blocks; b++) {
            DenseLayer first = readLayer(file, nameBlock(l, b) + ".first", configuration.hidden);
            coupling.blocks.emplace_back(std::move(first),
                                         readLayer(file, nameBlock(l, b) + ".second", configuration.hidden));
        }
        vector<int64_t> shape = file.getShape(nameCoupling(l) + ".output.bias");
        if (shape.size() != 1 || shape[0] > 100 * numCoordinates)
            file.fail("the tensor " + quote(nameCoupling(l) + ".output.bias") + " has a wrong shape");
        coupling.output = readLayer(file, nameCoupling(l) + ".output", (int)shape[0]);
        couplings.push_back(std::move(coupling));
    }
    try {
        return std::make_shared<InternalFlowModel>(coordinates, configuration, couplings);
    } catch (const OpenMM::OpenMMException& e) {
        throw OpenMM::OpenMMException("Cannot read " + file.getDescription() + ": " + e.what());
    }
}

string InternalFlowModel::getConfiguration() const {
    json result = {{"couplings", configuration.couplings},
                   {"hidden", configuration.hidden},
                   {"blocks", configuration.blocks},
                   {"bins", configuration.bins},
                   {"activation", configuration.activation == Activation::SiLU ? "silu" : "relu"},
                   {"tail_bound", configuration.tailBound},
                   {"min_bin_fraction", configuration.minBinFraction},
                   {"min_derivative", configuration.minDerivative},
                   {"atom_names", coordinates.atomNames}};
    // What a file need not say is left out, so that the hash of older flows is what it was.
    if (configuration.linearBins != configuration.bins)
        result["linear_bins"] = configuration.linearBins;
    if (configuration.harmonics != 1)
        result["harmonics"] = configuration.harmonics;
    if (configuration.products)
        result["products"] = true;
    return result.dump();
}

void InternalFlowModel::write(TensorFile& file) const {
    file.getMetadata()["family"] = getFamily();
    file.getMetadata()["configuration"] = getConfiguration();
    coordinates.write(file);
    int64_t numCoordinates = coordinates.getNumCoordinates();
    for (size_t l = 0; l < couplings.size(); l++) {
        const SplineCoupling& coupling = couplings[l];
        vector<int64_t> mask(numCoordinates, 0);
        for (int j : coupling.transformed)
            mask[j] = 1;
        file.setIntegers(nameCoupling(l) + ".transformed", {numCoordinates}, mask, TensorFile::Type::U8);
        writeLayer(file, nameCoupling(l) + ".input", coupling.input);
        for (size_t b = 0; b < coupling.blocks.size(); b++) {
            writeLayer(file, nameBlock(l, b) + ".first", coupling.blocks[b].first);
            writeLayer(file, nameBlock(l, b) + ".second", coupling.blocks[b].second);
        }
        writeLayer(file, nameCoupling(l) + ".output", coupling.output);
    }
}

}  // namespace OpenMMFlow
