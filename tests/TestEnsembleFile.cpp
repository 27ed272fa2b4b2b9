// Ensembles on disk: what is saved comes back, and what goes wrong is said and leaves nothing behind.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "openmm/OpenMMException.h"
#include "openmmflow/WeightedEnsemble.h"
#include "openmmflow/internal/EnsembleWriter.h"
#include "openmmflow/internal/TensorFile.h"

using namespace OpenMMFlow;
using OpenMM::OpenMMException;
namespace fs = std::filesystem;

namespace {

const double infinity = std::numeric_limits<double>::infinity();
const double notANumber = std::numeric_limits<double>::quiet_NaN();

std::string messageOf(const std::function<void()>& action) {
    try {
        action();
    } catch (const OpenMMException& e) {
        return e.what();
    }
    return "no exception";
}

std::string readBytes(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
}

void writeBytes(const fs::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

/** Bit patterns, so that NaN equals itself. */
bool isSame(const std::vector<double>& a, const std::vector<double>& b) {
    return a.size() == b.size()
           && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

void expectSame(const WeightedEnsemble& a, const WeightedEnsemble& b) {
    EXPECT_EQ(a.hasLogQ(), b.hasLogQ());
    EXPECT_EQ(a.getBlockSize(), b.getBlockSize());
    EXPECT_EQ(a.getNumParticles(), b.getNumParticles());
    EXPECT_EQ(a.getTemperature(), b.getTemperature());
    EXPECT_TRUE(isSame(a.getPositions(), b.getPositions()));
    EXPECT_TRUE(isSame(a.getLogQ(), b.getLogQ()));
    EXPECT_TRUE(isSame(a.getReducedPotentials(), b.getReducedPotentials()));
    EXPECT_TRUE(isSame(a.getLogWeights(), b.getLogWeights()));
    EXPECT_EQ(a.getMetadata(), b.getMetadata());
    ASSERT_EQ(a.getSampleRanges().size(), b.getSampleRanges().size());
    for (size_t i = 0; i < a.getSampleRanges().size(); i++) {
        EXPECT_EQ(a.getSampleRanges()[i].seed, b.getSampleRanges()[i].seed);
        EXPECT_EQ(a.getSampleRanges()[i].first, b.getSampleRanges()[i].first);
        EXPECT_EQ(a.getSampleRanges()[i].count, b.getSampleRanges()[i].count);
    }
}

class EnsembleFile : public testing::Test {
protected:
    fs::path folder = fs::temp_directory_path() / ("openmmflow-ensembles-" + std::to_string(getpid()));
    std::string path = (folder / "ensemble.safetensors").string();

    void SetUp() override { fs::create_directory(folder); }
    void TearDown() override { fs::remove_all(folder); }
    size_t countFiles() const {
        return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
    }
    std::string messageOfLoad(const std::string& bytes) const {
        writeBytes(path, bytes);
        return messageOf([&] { WeightedEnsemble::load(path); });
    }
};

WeightedEnsemble makeEnsemble(int count = 9, int numParticles = 3) {
    std::mt19937_64 generator(21);
    std::normal_distribution<double> normal;
    std::vector<double> positions, logQ, reducedPotentials;
    for (int k = 0; k < count; k++) {
        for (int j = 0; j < 3 * numParticles; j++)
            positions.push_back(normal(generator));
        logQ.push_back(k % 4 == 1 ? infinity : normal(generator));
        reducedPotentials.push_back(k % 5 == 2 ? notANumber : k % 5 == 3 ? -infinity : normal(generator));
    }
    WeightedEnsemble ensemble(numParticles, 300.1, positions, logQ, reducedPotentials);
    ensemble.addSampleRange({UINT64_MAX, UINT64_MAX - 5, 3});
    ensemble.addSampleRange({0, 17, count - 3});
    ensemble.setMetadata("flow", "0123456789abcdef");
    ensemble.setMetadata("format", "of \"another\"\nkind, naïve");
    return ensemble;
}

TEST_F(EnsembleFile, ComesBackBitForBit) {
    const WeightedEnsemble ensemble = makeEnsemble();
    ensemble.save(path);
    expectSame(WeightedEnsemble::load(path), ensemble);
    EXPECT_EQ(countFiles(), 1u);
}

/** Two blocks of an annealed ensemble. */
WeightedEnsemble makeAnnealed() {
    WeightedEnsemble ensemble =
        WeightedEnsemble::fromLogWeights(1, 300, {0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5},
                                         {0.5, -infinity, -infinity, 2}, {1, infinity, notANumber, 3}, 2);
    ensemble.addSampleRange({3, 8, 4});
    ensemble.setMetadata("annealing", "{}");
    return ensemble;
}

TEST_F(EnsembleFile, AnnealedOnesComeBackBitForBit) {
    WeightedEnsemble ensemble = makeAnnealed();
    ensemble.save(path);
    expectSame(WeightedEnsemble::load(path), ensemble);
    EXPECT_EQ(WeightedEnsemble::load(path).getNumOffSupport(), 1);
    EXPECT_EQ(WeightedEnsemble::load(path).getNumNonFinite(), 1);
    ensemble = ensemble.slice(0, 0);
    ensemble.save(path);
    expectSame(WeightedEnsemble::load(path), ensemble);
}

TEST_F(EnsembleFile, DamageOfAnnealedOnesIsSaid) {
    makeAnnealed().save(path);
    const std::string bytes = readBytes(path), start = "Cannot read '" + path + "': ";
    auto replace = [&](const std::string& from, const std::string& to) {
        std::string changed = bytes;
        return messageOfLoad(changed.replace(changed.find(from), to.size(), to));
    };
    EXPECT_EQ(replace("\"block_size\":\"2\"", "\"block_size\":\"3\""),
              start + "The 4 samples of an ensemble are no whole number of blocks of 3: give a block size that divides their number.");
    EXPECT_NE(replace("\"block_size\"", "\"clock_size\"").find("unknown entry 'clock_size'"),
              std::string::npos);
    EXPECT_EQ(replace("\"format_version\":\"2\"", "\"format_version\":\"1\""),
              start + "the tensor 'log_q' is missing.");
}

TEST_F(EnsembleFile, WithoutPositionsOrSamples) {
    WeightedEnsemble ensemble = makeEnsemble();
    ensemble.setPositions({});
    ensemble.save(path);
    expectSame(WeightedEnsemble::load(path), ensemble);
    EXPECT_FALSE(WeightedEnsemble::load(path).hasPositions());
    const WeightedEnsemble empty(3, 300, {}, {}, {});
    empty.save(path);
    expectSame(WeightedEnsemble::load(path), empty);
    EXPECT_NE(messageOf([&] { WeightedEnsemble().save(path); }), "no exception");
}

TEST_F(EnsembleFile, ReadsSinglePrecision) {
    TensorFile file;
    file.getMetadata() = {{"format", "openmm-flow ensemble"},
                          {"format_version", "1"},
                          {"num_particles", "1"},
                          {"temperature", "300"},
                          {"sample_ranges", "[]"}};
    file.setReals("positions", {2, 1, 3}, {0, 0.5, 1, 1.5, 2, 2.5}, TensorFile::Type::F32);
    file.setReals("log_q", {2}, {0.25, 4}, TensorFile::Type::F32);
    file.setReals("reduced_potentials", {2}, {-1, 1});
    file.save(path);
    expectSame(WeightedEnsemble::load(path),
               WeightedEnsemble(1, 300, {0, 0.5, 1, 1.5, 2, 2.5}, {0.25, 4}, {-1, 1}));
}

TEST_F(EnsembleFile, IsAPlainSafetensorsFile) {
    makeEnsemble().save(path);
    const std::string bytes = readBytes(path);
    uint64_t headerSize;
    std::memcpy(&headerSize, bytes.data(), 8);
    EXPECT_EQ(headerSize % 8, 0u);
    const nlohmann::json header = nlohmann::json::parse(bytes.substr(8, headerSize));
    EXPECT_EQ(header["positions"]["shape"], nlohmann::json({9, 3, 3}));
    EXPECT_EQ(header["positions"]["data_offsets"], nlohmann::json({0, 9 * 3 * 3 * 8}));
    EXPECT_EQ(header["reduced_potentials"]["data_offsets"][1], bytes.size() - 8 - headerSize);
    EXPECT_EQ(header["__metadata__"]["temperature"], "300.1");
}

TEST_F(EnsembleFile, StreamsAndMayStopEarly) {
    const WeightedEnsemble whole = makeEnsemble(1000);
    for (long long count : {0, 1, 64, 999, 1000}) {
        const WeightedEnsemble part = whole.slice(0, count);
        WeightedEnsemble description = whole.slice(0, 0);
        description.addSampleRange({UINT64_MAX, UINT64_MAX - 5, 3});
        description.addSampleRange({0, 17, 997});
        EnsembleWriter writer(path, description, 1000, true);
        for (long long start = 0; start < count; start += 100)
            writer.addPositions(part.slice(start, std::min(start + 100, count)).getPositions());
        writer.finish(part);
        expectSame(WeightedEnsemble::load(path), part);
        EXPECT_EQ(countFiles(), 1u);
    }
}

TEST_F(EnsembleFile, AnUnfinishedFileLeavesNothing) {
    const WeightedEnsemble ensemble = makeEnsemble();
    ensemble.save(path);
    {
        EnsembleWriter writer(path, ensemble, 100, true);
        writer.addPositions(ensemble.getPositions());
        EXPECT_EQ(countFiles(), 2u);
    }
    EXPECT_EQ(countFiles(), 1u);
    // Neither does one that is finished with another number of samples, or with more metadata than there is
    // room for.
    for (int fault : {0, 1}) {
        WeightedEnsemble other = fault == 0 ? ensemble.slice(0, 8) : ensemble;
        if (fault == 1)
            other.setMetadata("more", std::string(1000, 'x'));
        EnsembleWriter writer(path, ensemble, 9, true);
        writer.addPositions(ensemble.getPositions());
        EXPECT_NE(messageOf([&] { writer.finish(other); }), "no exception");
    }
    EXPECT_EQ(countFiles(), 1u);
    expectSame(WeightedEnsemble::load(path), ensemble);
}

TEST_F(EnsembleFile, AFullDiskIsSaidAndLeavesNothing) {
    const WeightedEnsemble ensemble = makeEnsemble(1000);
    makeEnsemble().save(path);
    // A limit to the size of files fails in the same way as a full disk.
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit limit = {30000, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    const std::string message = messageOf([&] { ensemble.save(path); });
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(message, "Cannot write '" + path + "': File too large.");
    EXPECT_EQ(countFiles(), 1u);
    expectSame(WeightedEnsemble::load(path), makeEnsemble());
}

TEST_F(EnsembleFile, PathsThatCannotBe) {
    const WeightedEnsemble ensemble = makeEnsemble();
    for (const std::string& bad : {folder.string(), path + "/x", (folder / "no/such").string()}) {
        EXPECT_NE(messageOf([&] { ensemble.save(bad); }).find(bad), std::string::npos);
        EXPECT_NE(messageOf([&] { WeightedEnsemble::load(bad); }).find(bad), std::string::npos);
    }
    EXPECT_EQ(countFiles(), 0u);
}

TEST_F(EnsembleFile, DamageIsSaid) {
    makeEnsemble().save(path);
    const std::string bytes = readBytes(path);
    for (size_t size = 0; size < bytes.size(); size += size < 1500 ? 7 : 97)
        EXPECT_NE(messageOfLoad(bytes.substr(0, size)), "no exception") << size;
    auto replace = [&](const std::string& from, const std::string& to) {
        std::string changed = bytes;
        const size_t place = changed.find(from);
        EXPECT_NE(place, std::string::npos) << from;
        EXPECT_EQ(from.size(), to.size());
        return messageOfLoad(changed.replace(place, to.size(), to));
    };
    const std::string start = "Cannot read '" + path + "': ";
    EXPECT_EQ(replace("\"format_version\":\"1\"", "\"format_version\":\"3\""),
              start + "its format version is '3' and this version of openmm-flow reads 1 and 2; install a newer openmm-flow.");
    EXPECT_EQ(replace("\"format_version\":\"1\"", "\"format_version\":\"2\""),
              start + "the tensor 'log_weights' is missing.");
    EXPECT_EQ(replace("openmm-flow ensemble", "openmm-flow unsemble"),
              start + "it is a safetensors file, but not that of an ensemble.");
    EXPECT_EQ(replace("\"num_particles\":\"3\"", "\"num_particles\":\"x\""),
              start + "its metadata entry 'num_particles' is not a number of its kind.");
    EXPECT_EQ(replace("\"num_particles\":\"3\"", "\"num_particles\":\"4\""),
              start + "the tensor 'positions' does not hold the positions of 9 samples of 4 particles.");
    EXPECT_EQ(replace("\"temperature\":\"300.1\"", "\"temperature\":\"-30.1\""),
              start + "The temperature of an ensemble must be positive, in K, not -30.100000.");
    EXPECT_EQ(replace("[0,17,6]", "[0,17,x]"),
              start + "its metadata entry 'sample_ranges' is not valid JSON (at byte 64).");
    EXPECT_EQ(replace("[0,17,6]", "[0,-7,6]"),
              start + "its metadata entry 'sample_ranges' is not a list of seeds, first samples and counts.");
    EXPECT_EQ(replace("[0,17,6]", "[0,17,9]"),
              start + "its metadata entry 'sample_ranges' lists 12 samples and the file holds 9.");
    EXPECT_EQ(replace("[0,17,6]", "[17,006]").substr(0, start.size()), start);
    EXPECT_EQ(replace("metadata.flow", "netadata.flow"),
              start + "its metadata have the unknown entry 'netadata.flow'.");
    EXPECT_EQ(replace("\"log_q\":", "\"log_w\":"), start + "the tensor 'log_q' is missing.");
}

TEST_F(EnsembleFile, RandomDamageIsAnExceptionOrHarmless) {
    makeEnsemble().save(path);
    const std::string bytes = readBytes(path);
    std::mt19937_64 generator(22);
    int refused = 0;
    for (int trial = 0; trial < 500; trial++) {
        std::string damaged = bytes;
        for (int i = 0; i < 1 + trial % 3; i++)
            damaged[generator() % 900] =
                (char)(trial % 2 == 0 ? generator() : "0123456789{}[]\",:"[generator() % 17]);
        refused += messageOfLoad(damaged) != "no exception";
    }
    EXPECT_GT(refused, 250);
}

}  // namespace
