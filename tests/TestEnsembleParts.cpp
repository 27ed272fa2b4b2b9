// Parts of weighted ensembles and ensembles made of parts: resampling, slicing and merging.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "EnsembleSamples.h"
#include "openmmflow/WeightedEnsemble.h"

using OpenMMFlow::WeightedEnsemble;
using namespace OpenMMFlow::tests;

TEST(WeightedEnsemble, ResamplingIsSystematic) {
    Normal normal;
    std::mt19937_64 generator(15);
    const WeightedEnsemble plain = normal.draw(500, generator);
    std::vector<double> positions;
    for (int i = 0; i < 500; i++)
        positions.insert(positions.end(), {(double)i, 0, 0});
    const WeightedEnsemble ensemble(1, 300, positions, plain.getLogQ(), plain.getReducedPotentials());
    double total = 0;
    for (double logWeight : ensemble.getLogWeights())
        total += std::exp(logWeight);
    for (long long count : {0, 1, 7, 500, 20000})
        for (uint64_t seed : {0, 1, 2}) {
            const WeightedEnsemble drawn = ensemble.resample(count, seed);
            ASSERT_EQ(drawn.getNumSamples(), count);
            EXPECT_EQ(drawn.getLogWeights(),
                      std::vector<double>(count, ensemble.getLogPartitionFunction().value));
            std::vector<int> times(500, 0);
            for (long long k = 0; k < count; k++) {
                const int chosen = (int)drawn.getPositions()[3 * k];
                EXPECT_EQ(drawn.getReducedPotentials()[k], ensemble.getReducedPotentials()[chosen]);
                times[chosen]++;
            }
            for (int i = 0; i < 500; i++)
                EXPECT_LT(std::abs(times[i] - count * std::exp(ensemble.getLogWeights()[i]) / total), 1) << i;
        }
    EXPECT_TRUE(isSame(ensemble.resample(100, 5), ensemble.resample(100, 5)));
    EXPECT_FALSE(isSame(ensemble.resample(100, 5), ensemble.resample(100, 6)));
    EXPECT_NE(ensemble.resample(100).toString().find("resampled from 500"), std::string::npos);
    EXPECT_NE(messageOf([&] { ensemble.resample(-1); }), "no exception");
    EXPECT_EQ(messageOf([&] { ensemble.resample(1LL << 60); }),
              "There is not enough memory for the positions of 1152921504606846976 samples: use a smaller "
              "number.");
}

TEST(WeightedEnsemble, CopiesTellNothingOfErrors) {
    const WeightedEnsemble ensemble =
        makeEnsemble({std::log(0.1), -infinity, std::log(0.6), std::log(0.3)}).resample(100);
    EXPECT_EQ(ensemble.getLogPartitionFunction().value, std::log(0.25));
    EXPECT_TRUE(std::isnan(ensemble.getLogPartitionFunction().error));
    EXPECT_TRUE(std::isnan(ensemble.computeExpectation(std::vector<double>(100, 1.0)).error));
    EXPECT_FALSE(ensemble.hasLogQ());
}

TEST(WeightedEnsemble, ResamplingDrawsTheTarget) {
    // Each sample is drawn as often as its weight says, on average over the seeds.
    const WeightedEnsemble ensemble = makeEnsemble({std::log(0.1), -infinity, std::log(0.6), std::log(0.3)});
    double sum = 0;
    const int seeds = 20000;
    for (int seed = 0; seed < seeds; seed++)
        sum += ensemble.resample(1, seed).getReducedPotentials()[0] == -std::log(0.3);
    EXPECT_NEAR(sum / seeds, 0.3, 4 * std::sqrt(0.3 * 0.7 / seeds));
}

TEST(WeightedEnsemble, SlicesAndTheirSum) {
    WeightedEnsemble whole = makeNumbered(100, 10);
    const WeightedEnsemble more = makeNumbered(7, 5, 2);
    whole.append(more);
    EXPECT_EQ(whole.getNumSamples(), 15);
    EXPECT_TRUE(isSame(whole.slice(10, 15), more));
    WeightedEnsemble joined;
    for (int start = 0; start < 15; start += 4)
        joined.append(whole.slice(start, std::min(start + 4, 15)));
    EXPECT_TRUE(isSame(joined, whole));
    const WeightedEnsemble middle = whole.slice(8, 12);
    ASSERT_EQ(middle.getSampleRanges().size(), 2u);
    EXPECT_EQ(middle.getSampleRanges()[0].first, 108u);
    EXPECT_EQ(middle.getSampleRanges()[0].count, 2);
    EXPECT_EQ(middle.getSampleRanges()[1].seed, 2u);
    EXPECT_EQ(middle.getSampleRanges()[1].first, 7u);
    EXPECT_EQ(middle.getSampleRanges()[1].count, 2);
    EXPECT_EQ(middle.getMetadata(), whole.getMetadata());
    EXPECT_EQ(whole.slice(3, 3).getNumSamples(), 0);
    for (auto [start, end] : {std::pair(-1, 3), std::pair(4, 3), std::pair(0, 16)})
        EXPECT_NE(messageOf([&, start = start, end = end] { whole.slice(start, end); }), "no exception");
}

TEST(WeightedEnsemble, MergingKnowsWhatEnsemblesAreMadeOf) {
    const WeightedEnsemble ensemble = makeNumbered(100, 10);
    auto merge = [&](const WeightedEnsemble& other) {
        return messageOf([&] {
            WeightedEnsemble merged = ensemble;
            merged.append(other);
        });
    };
    const char* fine = "no exception";
    EXPECT_EQ(merge(makeNumbered(110, 10)), fine);
    EXPECT_EQ(merge(makeNumbered(90, 10)), fine);
    EXPECT_EQ(merge(makeNumbered(100, 10, 2)), fine);
    EXPECT_EQ(merge(ensemble),
              "Samples 100 and following of seed 1 are already in the ensemble: draw with another seed or a "
              "later first "
              "sample.");
    EXPECT_NE(merge(makeNumbered(109, 1)), fine);
    EXPECT_NE(merge(makeNumbered(91, 10)), fine);
    EXPECT_NE(merge(makeNumbered(0, 1000)), fine);
    EXPECT_NE(merge(makeNumbered(104, 2)), fine);
    EXPECT_NE(merge(WeightedEnsemble(3, 300, {}, {0}, {0})), fine);
    EXPECT_NE(merge(WeightedEnsemble(2, 301, std::vector<double>(6), {0}, {0})), fine);
    EXPECT_NE(merge(WeightedEnsemble(2, 300, {}, {0}, {0})), fine);
    EXPECT_NE(merge(ensemble.resample(5)), fine);
    WeightedEnsemble other = makeNumbered(110, 10);
    for (auto [mine, theirs, both] :
         {std::tuple("CPU", "CPU", "CPU"), std::tuple("CPU, double", "CPU", "CPU, double; CPU"),
          std::tuple("a; b", "c; b", "a; b; c")}) {
        WeightedEnsemble merged = ensemble;
        merged.setMetadata("energies", mine);
        other.setMetadata("energies", theirs);
        merged.append(other);
        EXPECT_EQ(merged.getMetadata().at("energies"), both);
    }
    WeightedEnsemble checked = ensemble;
    checked.setMetadata("verified_energies", "0.25");
    checked.append(other);
    EXPECT_EQ(checked.getMetadata().at("verified_energies"), "0.25; 0");
    other.setMetadata("flow", "fedcba9876543210");
    EXPECT_EQ(merge(other),
              "The ensembles were made with another flow (0123456789abcdef and fedcba9876543210): their "
              "weights cannot be compared.");
    // Ranges at the end of the counter do not wrap around.
    WeightedEnsemble last;
    last.addSampleRange({0, UINT64_MAX - 9, 10});
    EXPECT_EQ(messageOf([&] { last.addSampleRange({0, 0, 10}); }), fine);
    EXPECT_NE(messageOf([&] { last.addSampleRange({0, UINT64_MAX, 1}); }), fine);
}
