#include "openmmflow/internal/EnsembleWriter.h"

#include <nlohmann/json.hpp>

#include "AtomicFile.h"
#include "EnsembleFormat.h"
#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace std;
using nlohmann::json;

namespace OpenMMFlow {

EnsembleWriter::EnsembleWriter(const string& path, const WeightedEnsemble& description, long long maxCount,
                               bool hasPositions)
    : file(make_unique<AtomicFile>(path)), path(path), hasPositions(hasPositions) {
    // A multiple of 8 bytes, so that the numbers which follow are aligned.
    headerSize = (makeHeader(description, maxCount).size() + 7) / 8 * 8;
    file->seek(sizeof(uint64_t) + headerSize);
}

EnsembleWriter::~EnsembleWriter() = default;

string EnsembleWriter::makeHeader(const WeightedEnsemble& ensemble, long long count) const {
    json root;
    uint64_t offset = 0;
    auto addTensor = [&](const char* name, const vector<long long>& shape) {
        uint64_t size = sizeof(double);
        for (long long dimension : shape)
            size *= dimension;
        root[name] = {{"dtype", "F64"}, {"shape", shape}, {"data_offsets", {offset, offset + size}}};
        offset += size;
    };
    if (hasPositions)
        addTensor("positions", {count, ensemble.getNumParticles(), 3});
    addTensor(ensemble.hasLogQ() ? "log_q" : "log_weights", {count});
    addTensor("reduced_potentials", {count});
    json ranges = json::array();
    for (const WeightedEnsemble::SampleRange& range : ensemble.getSampleRanges())
        ranges.push_back({range.seed, range.first, range.count});
    json& metadata = root["__metadata__"];
    metadata = {
        {"format", EnsembleFormat::name},
        {"format_version", ensemble.hasLogQ() ? EnsembleFormat::version : EnsembleFormat::annealedVersion},
        {"num_particles", to_string(ensemble.getNumParticles())},
        {"temperature", json(ensemble.getTemperature()).dump()},
        {"sample_ranges", ranges.dump()}};
    if (!ensemble.hasLogQ())
        metadata["block_size"] = to_string(ensemble.getBlockSize());
    for (const auto& [key, value] : ensemble.getMetadata())
        metadata[EnsembleFormat::metadataPrefix + key] = value;
    try {
        return root.dump();
    } catch (const json::exception&) {
        throw OpenMMException("Cannot write '" + path
                              + "': the ensemble's metadata are not valid UTF-8 text.");
    }
}

void EnsembleWriter::addPositions(const vector<double>& positions) {
    file->write(reinterpret_cast<const char*>(positions.data()), positions.size() * sizeof(double));
    numCoordinates += positions.size();
}

void EnsembleWriter::finish(const WeightedEnsemble& ensemble) {
    const long long count = ensemble.getNumSamples();
    string header = makeHeader(ensemble, count);
    if (header.size() > headerSize
        || (hasPositions && numCoordinates != (size_t)count * ensemble.getNumParticles() * 3))
        throw OpenMMException("Cannot write '" + path
                              + "': the ensemble is not the one that the file was started for.");
    for (const vector<double>* values : {ensemble.hasLogQ() ? &ensemble.getLogQ() : &ensemble.getLogWeights(),
                                         &ensemble.getReducedPotentials()})
        file->write(reinterpret_cast<const char*>(values->data()), values->size() * sizeof(double));
    header.resize(headerSize, ' ');
    const uint64_t size = headerSize;
    file->seek(0);
    file->write(reinterpret_cast<const char*>(&size), sizeof(size));
    file->write(header.data(), header.size());
    file->commit();
}

}  // namespace OpenMMFlow
