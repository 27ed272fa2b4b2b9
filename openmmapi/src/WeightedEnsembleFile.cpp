#include <charconv>
#include <limits>
#include <optional>
#include <set>

#include "EnsembleFormat.h"
#include "Quote.h"
#include "StrictJson.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/WeightedEnsemble.h"
#include "openmmflow/internal/EnsembleWriter.h"
#include "openmmflow/internal/TensorFile.h"

using namespace OpenMM;
using namespace std;
using nlohmann::json;

namespace OpenMMFlow {

namespace {

void checkEnsembleFormat(const TensorFile& file) {
    if (file.getMetadata().count("format") == 0 || file.getMetadata("format") != EnsembleFormat::name)
        file.fail("it is a safetensors file, but not that of an ensemble");
    const string& version = file.getMetadata("format_version");
    if (version != EnsembleFormat::version && version != EnsembleFormat::annealedVersion)
        file.fail("its format version is " + quote(version) + " and this version of openmm-flow reads "
                  + EnsembleFormat::version + " and " + EnsembleFormat::annealedVersion
                  + "; install a newer openmm-flow");
}

bool isAnnealed(const TensorFile& file) {
    return file.getMetadata("format_version") == EnsembleFormat::annealedVersion;
}

template <class T>
T parseNumber(const TensorFile& file, const string& key) {
    const string& text = file.getMetadata(key);
    T value = 0;
    const auto [stop, error] = from_chars(text.data(), text.data() + text.size(), value);
    if (error != errc() || stop != text.data() + text.size())
        file.fail("its metadata entry " + quote(key) + " is not a number of its kind");
    return value;
}

vector<WeightedEnsemble::SampleRange> parseRanges(const TensorFile& file) {
    // The list stands in an object because that is what a strict parser takes.
    const json root =
        parseStrictJson("{\"ranges\":" + file.getMetadata("sample_ranges") + "}", 3,
                        "Cannot read " + file.getDescription() + ": its metadata entry 'sample_ranges'");
    vector<WeightedEnsemble::SampleRange> ranges;
    bool isValid = root.size() == 1 && root.at("ranges").is_array();
    for (const json& entry : isValid ? root.at("ranges") : json::array()) {
        isValid = isValid && entry.is_array() && entry.size() == 3;
        for (size_t i = 0; isValid && i < 3; i++)
            isValid = entry[i].is_number_unsigned();
        if (isValid && entry[2] <= numeric_limits<long long>::max())
            ranges.push_back({entry[0], entry[1], entry[2]});
        else
            isValid = false;
    }
    if (!isValid)
        file.fail("its metadata entry 'sample_ranges' is not a list of seeds, first samples and counts");
    return ranges;
}

map<string, string> parseMetadata(const TensorFile& file) {
    const string prefix = EnsembleFormat::metadataPrefix;
    set<string> known = {"format", "format_version", "num_particles", "temperature", "sample_ranges"};
    if (isAnnealed(file))
        known.insert("block_size");
    map<string, string> metadata;
    for (const auto& [key, value] : file.getMetadata())
        if (key.compare(0, prefix.size(), prefix) == 0)
            metadata[key.substr(prefix.size())] = value;
        else if (known.count(key) == 0)
            file.fail("its metadata have the unknown entry " + quote(key));
    return metadata;
}

}  // namespace

void WeightedEnsemble::save(const string& path) const {
    if (numParticles == 0)
        throw OpenMMException("Cannot write '" + path + "': there is nothing in this ensemble yet.");
    const bool withPositions = !positions.empty();
    EnsembleWriter writer(path, *this, getNumSamples(), withPositions);
    if (withPositions)
        writer.addPositions(positions);
    writer.finish(*this);
}

WeightedEnsemble WeightedEnsemble::load(const string& path) {
    optional<TensorFile::Reals> positions;
    const TensorFile file = TensorFile::load(path, "positions", positions);
    checkEnsembleFormat(file);
    const int numParticles = parseNumber<int>(file, "num_particles");
    const double temperature = parseNumber<double>(file, "temperature");
    const string weights = isAnnealed(file) ? "log_weights" : "log_q";
    const vector<int64_t> shape = file.getShape(weights);
    if (shape.size() != 1)
        file.fail("the tensor " + quote(weights) + " does not have one dimension");
    if (positions && positions->shape != vector<int64_t>{shape[0], numParticles, 3})
        file.fail("the tensor 'positions' does not hold the positions of " + to_string(shape[0])
                  + " samples of " + to_string(numParticles) + " particles");
    vector<double> values = file.getAnyReals(weights, shape);
    vector<double> reducedPotentials = file.getAnyReals("reduced_potentials", shape);
    file.requireAllRead();
    const vector<SampleRange> ranges = parseRanges(file);
    uint64_t numInRanges = 0;
    for (const SampleRange& range : ranges)
        numInRanges += min<uint64_t>(range.count, UINT64_MAX - numInRanges);
    if (numInRanges > (uint64_t)shape[0])
        file.fail("its metadata entry 'sample_ranges' lists " + to_string(numInRanges)
                  + " samples and the file holds " + to_string(shape[0]));
    const map<string, string> metadata = parseMetadata(file);
    try {
        vector<double> coordinates = positions ? std::move(positions->values) : vector<double>();
        WeightedEnsemble ensemble =
            isAnnealed(file)
                ? fromLogWeights(numParticles, temperature, std::move(coordinates), std::move(values),
                                 std::move(reducedPotentials), parseNumber<long long>(file, "block_size"))
                : WeightedEnsemble(numParticles, temperature, std::move(coordinates), std::move(values),
                                   std::move(reducedPotentials));
        for (const SampleRange& range : ranges)
            ensemble.addSampleRange(range);
        ensemble.metadata = metadata;
        return ensemble;
    } catch (const OpenMMException& e) {
        throw OpenMMException("Cannot read '" + path + "': " + e.what());
    }
}

}  // namespace OpenMMFlow
