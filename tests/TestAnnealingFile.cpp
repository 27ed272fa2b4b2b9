// Annealed ensembles that are written while they are made.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <string>

#include "AnnealingFixture.h"
#include "ExpectError.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;

namespace {

class AnnealingFile : public Annealing {
protected:
    std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("openmmflow-annealing-" + std::to_string(getpid()));
    std::string path = (folder / "ensemble.safetensors").string();
    AnnealingOptions options = makeOptions();

    void SetUp() override { std::filesystem::create_directory(folder); }
    void TearDown() override { std::filesystem::remove_all(folder); }
    /** Anneal to the file, and stop after so many calls of the progress. */
    WeightedEnsemble stopAfter(long long calls) {
        return sampler->annealToFile(path, 100000, options, 3, 0,
                                     [&](long long, long long) { return --calls > 0; });
    }
};

void expectSame(const WeightedEnsemble& a, const WeightedEnsemble& b) {
    EXPECT_EQ(a.getPositions(), b.getPositions());
    EXPECT_EQ(a.getLogWeights(), b.getLogWeights());
    EXPECT_EQ(a.getReducedPotentials(), b.getReducedPotentials());
    EXPECT_EQ(a.getBlockSize(), b.getBlockSize());
    EXPECT_EQ(a.getMetadata(), b.getMetadata());
}

TEST_F(AnnealingFile, HoldsWhatMemoryWould) {
    for (long long islandSize : {1, 8}) {
        options.islandSize = islandSize;
        const WeightedEnsemble expected = sampler->anneal(2000, options, 3, 80);
        const WeightedEnsemble returned = sampler->annealToFile(path, 2000, options, 3, 80);
        const WeightedEnsemble loaded = WeightedEnsemble::load(path);
        expectSame(loaded, expected);
        EXPECT_EQ(loaded.getSampleRanges()[0].first, 80u);
        EXPECT_EQ(loaded.getSampleRanges()[0].count, 2000);
        EXPECT_FALSE(returned.hasPositions());
        EXPECT_EQ(returned.getLogWeights(), expected.getLogWeights());
        EXPECT_EQ(returned.getMetadata(), expected.getMetadata());
    }
}

TEST_F(AnnealingFile, StoppingEarlyKeepsWhatHasArrived) {
    options.schedule = sampler->planAnnealing(options);
    const long long steps = options.schedule->stepSizes.size();
    const WeightedEnsemble part = stopAfter(2 * steps + 1), loaded = WeightedEnsemble::load(path);
    EXPECT_GT(part.getNumSamples(), 0);
    EXPECT_EQ(loaded.getLogWeights(), part.getLogWeights());
    EXPECT_EQ(loaded.getSampleRanges()[0].count, part.getNumSamples());
    EXPECT_TRUE(loaded.hasPositions());
    // A stop before the first block has arrived, and one in the pilot run, keep the older file.
    for (bool hasPilot : {false, true}) {
        if (hasPilot)
            options.schedule.reset();
        EXPECT_EQ(stopAfter(1).getNumSamples(), 0);
        EXPECT_EQ(WeightedEnsemble::load(path).getLogWeights(), part.getLogWeights());
    }
    EXPECT_EQ(
        std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()), 1);
}

TEST_F(AnnealingFile, FailsBeforeThePilotRunAndLeavesNothing) {
    auto fail = [](long long, long long) -> bool { throw OpenMMException("The run has begun."); };
    expectError([&] { sampler->annealToFile(folder.string(), 100, options, 0, 0, fail); }, "not a file");
    expectError([&] { sampler->annealToFile(path + "/x", 100, options, 0, 0, fail); }, "Cannot write");
    expectError([&] { sampler->annealToFile(path, 100, options, 0, 0, fail); }, "has begun");
    options.islandSize = 3;
    expectError([&] { sampler->annealToFile(path, 100, options); }, "islands of 3");
    EXPECT_TRUE(std::filesystem::is_empty(folder));
}

}  // namespace
