// Weighted ensembles: estimates and their errors against exact values, and what happens at the edges.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "Deviations.h"
#include "EnsembleSamples.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/WeightedEnsemble.h"

using OpenMM::OpenMMException;
using OpenMMFlow::WeightedEnsemble;
using namespace OpenMMFlow::tests;
using Estimate = WeightedEnsemble::Estimate;

namespace {

const double notANumber = std::numeric_limits<double>::quiet_NaN();

TEST(WeightedEnsemble, EstimatesDeviateAsTheirErrorsSay) {
    Normal normal;
    std::mt19937_64 generator(11);
    Deviations logZ, average, square, apart, overlapping, nested;
    for (int replica = 0; replica < 400; replica++) {
        const WeightedEnsemble ensemble = normal.draw(2000, generator);
        logZ.add(ensemble.getLogPartitionFunction(),
                 std::log((1 - normal.offSupport) * normal.width * std::sqrt(2 * M_PI)));
        average.add(ensemble.computeExpectation(normal.x), normal.center);
        std::vector<double> squares;
        for (double x : normal.x)
            squares.push_back(x * x);
        square.add(ensemble.computeExpectation(squares),
                   std::pow(normal.center, 2) + std::pow(normal.width, 2));
        auto compare = [&](double lowerA, double upperA, double lowerB, double upperB,
                           Deviations& deviations) {
            deviations.add(ensemble.computeFreeEnergyDifference(normal.inside(lowerA, upperA),
                                                                normal.inside(lowerB, upperB)),
                           std::log(normal.probability(lowerA, upperA) / normal.probability(lowerB, upperB)));
        };
        compare(-infinity, 0, 0, infinity, apart);
        compare(-infinity, 0.6, 0.2, infinity, overlapping);
        compare(-0.5, 0.5, -1, infinity, nested);
    }
    logZ.check();
    average.check();
    square.check();
    apart.check();
    overlapping.check();
    nested.check();
}

TEST(WeightedEnsemble, EffectiveSamples) {
    EXPECT_DOUBLE_EQ(makeEnsemble({0, 0, 0, 0}).getEffectiveSampleSize(), 4);
    EXPECT_DOUBLE_EQ(makeEnsemble({0, -infinity, 0, -infinity}).getEffectiveSampleFraction(), 0.5);
    EXPECT_DOUBLE_EQ(makeEnsemble({std::log(1.0), std::log(3.0)}).getEffectiveSampleSize(), 16.0 / 10);
    // For normal distributions: n <w>^2 / <w^2> = n a sqrt(2 - a^2), a = width/proposalWidth, equal centers.
    Normal normal;
    normal.center = 0;
    normal.offSupport = 0;
    std::mt19937_64 generator(12);
    const double ratio = normal.width / normal.proposalWidth;
    EXPECT_NEAR(normal.draw(200000, generator).getEffectiveSampleFraction(),
                ratio * std::sqrt(2 - ratio * ratio), 0.005);
}

TEST(WeightedEnsemble, AcceptanceIsTheAverageOverAllPairs) {
    Normal normal;
    std::mt19937_64 generator(13);
    const WeightedEnsemble ensemble = normal.draw(300, generator);
    const std::vector<double>& logWeights = ensemble.getLogWeights();
    double accepted = 0, total = 0;
    for (size_t before = 0; before < logWeights.size(); before++)
        for (size_t after = 0; after < logWeights.size(); after++)
            if (before != after && logWeights[before] > -infinity) {
                const double weight = std::exp(logWeights[before]);
                total += weight;
                accepted += weight * std::min(1.0, std::exp(logWeights[after] - logWeights[before]));
            }
    EXPECT_NEAR(ensemble.getAcceptance(), accepted / total, 1e-12);
    EXPECT_DOUBLE_EQ(makeEnsemble({5, 5, 5}).getAcceptance(), 1);
    EXPECT_DOUBLE_EQ(makeEnsemble({5, -infinity, -infinity}).getAcceptance(), 0);
}

TEST(WeightedEnsemble, NothingOverflows) {
    std::vector<double> logWeights, values;
    std::vector<bool> inA, inB;
    std::mt19937_64 generator(14);
    std::normal_distribution<double> normal;
    for (int i = 0; i < 1000; i++) {
        logWeights.push_back(normal(generator));
        values.push_back(normal(generator));
        inA.push_back(i % 2 == 0);
        inB.push_back(i % 3 == 0);
    }
    const WeightedEnsemble ensemble = makeEnsemble(logWeights);
    for (double shift : {-1e6, 1e6}) {
        std::vector<double> shifted = logWeights;
        for (double& logWeight : shifted)
            logWeight += shift;
        const WeightedEnsemble other = makeEnsemble(shifted);
        EXPECT_NEAR(other.getLogPartitionFunction().value - shift, ensemble.getLogPartitionFunction().value,
                    1e-8);
        EXPECT_NEAR(other.getLogPartitionFunction().error, ensemble.getLogPartitionFunction().error, 1e-8);
        EXPECT_NEAR(other.getEffectiveSampleSize(), ensemble.getEffectiveSampleSize(), 1e-6);
        EXPECT_NEAR(other.getParetoK(), ensemble.getParetoK(), 1e-6);
        EXPECT_NEAR(other.getAcceptance(), ensemble.getAcceptance(), 1e-8);
        EXPECT_NEAR(other.computeExpectation(values).value, ensemble.computeExpectation(values).value, 1e-8);
    }
    // A region may be unlikely beyond the range of exp().
    for (int i = 0; i < 1000; i++)
        logWeights[i] -= inB[i] ? 5000 : 0;
    const Estimate difference = makeEnsemble(logWeights).computeFreeEnergyDifference(inA, inB);
    EXPECT_NEAR(difference.value, 5000, 3);
    EXPECT_TRUE(difference.error > 0 && difference.error < 1);
}

TEST(WeightedEnsemble, SamplesOfWeightZeroAreCountedAndOtherwiseIgnored) {
    const WeightedEnsemble ensemble(1, 300, {}, {0, infinity, 0, 0, 0, infinity, 0},
                                    {0, 1, notANumber, infinity, -infinity, notANumber, 0});
    EXPECT_EQ(ensemble.getNumSamples(), 7);
    EXPECT_EQ(ensemble.getNumOffSupport(), 2);
    EXPECT_EQ(ensemble.getNumNonFinite(), 3);
    EXPECT_EQ(ensemble.getLogWeights(),
              (std::vector<double>{0, -infinity, -infinity, -infinity, -infinity, -infinity, 0}));
    EXPECT_DOUBLE_EQ(ensemble.getEffectiveSampleSize(), 2);
    EXPECT_DOUBLE_EQ(ensemble.getLogPartitionFunction().value, std::log(2.0 / 7));
    const Estimate average =
        ensemble.computeExpectation({1, notANumber, infinity, notANumber, -infinity, notANumber, 3});
    EXPECT_DOUBLE_EQ(average.value, 2);
    // Influences 1/2 (1 - 2) and 1/2 (3 - 2), 7 samples.
    EXPECT_DOUBLE_EQ(average.error, std::sqrt(0.5 * 7 / 6));
    EXPECT_TRUE(std::isnan(ensemble.computeExpectation({notANumber, 0, 0, 0, 0, 0, 3}).value));
}

TEST(WeightedEnsemble, AllWeightsZero) {
    const WeightedEnsemble ensemble = makeEnsemble(std::vector<double>(50, -infinity));
    EXPECT_EQ(ensemble.getNumNonFinite(), 50);
    EXPECT_EQ(ensemble.getEffectiveSampleSize(), 0);
    EXPECT_EQ(ensemble.getEffectiveSampleFraction(), 0);
    EXPECT_EQ(ensemble.getParetoK(), infinity);
    EXPECT_EQ(ensemble.getLogPartitionFunction().value, -infinity);
    EXPECT_TRUE(std::isnan(ensemble.getLogPartitionFunction().error));
    EXPECT_TRUE(std::isnan(ensemble.getAcceptance()));
    EXPECT_TRUE(std::isnan(ensemble.computeExpectation(std::vector<double>(50, 1.0)).value));
    const std::vector<bool> all(50, true);
    EXPECT_TRUE(std::isnan(ensemble.computeFreeEnergyDifference(all, all).value));
    EXPECT_EQ(messageOf([&] { ensemble.resample(10); }),
              "There is nothing to resample: the ensemble has no sample of positive weight.");
    EXPECT_NE(ensemble.toString().find("all weights are zero"), std::string::npos);
}

TEST(WeightedEnsemble, VeryFewSamples) {
    for (const WeightedEnsemble& empty : {WeightedEnsemble(), WeightedEnsemble(2, 300, {}, {}, {})}) {
        EXPECT_EQ(empty.getNumSamples(), 0);
        EXPECT_TRUE(empty.hasPositions());
        EXPECT_EQ(empty.getEffectiveSampleSize(), 0);
        EXPECT_EQ(empty.getEffectiveSampleFraction(), 0);
        EXPECT_EQ(empty.getParetoK(), infinity);
        EXPECT_TRUE(std::isnan(empty.getLogPartitionFunction().value));
        EXPECT_TRUE(std::isnan(empty.getAcceptance()));
        EXPECT_TRUE(std::isnan(empty.computeExpectation({}).value));
        EXPECT_EQ(empty.slice(0, 0).getNumSamples(), 0);
        EXPECT_EQ(empty.toString().find("0 samples"), 0u);
    }
    const WeightedEnsemble one = makeEnsemble({-3});
    EXPECT_EQ(one.getEffectiveSampleSize(), 1);
    EXPECT_EQ(one.getLogPartitionFunction().value, -3);
    EXPECT_TRUE(std::isnan(one.getLogPartitionFunction().error));
    EXPECT_EQ(one.computeExpectation({8}).value, 8);
    EXPECT_TRUE(std::isnan(one.computeExpectation({8}).error));
    EXPECT_TRUE(std::isnan(one.getAcceptance()));
    EXPECT_EQ(one.resample(3).getNumSamples(), 3);
    EXPECT_FALSE(one.toString().empty());
    // log of the average of w: its error is s/(mean sqrt(n)) with s^2 = 2 for the weights 1 and 3.
    const WeightedEnsemble two = makeEnsemble({0, std::log(3.0)});
    EXPECT_DOUBLE_EQ(two.getLogPartitionFunction().value, std::log(2.0));
    EXPECT_DOUBLE_EQ(two.getLogPartitionFunction().error, 0.5);
    EXPECT_DOUBLE_EQ(two.getAcceptance(), 0.5);
}

TEST(WeightedEnsemble, FreeEnergyOfARegionWithoutSamples) {
    const WeightedEnsemble ensemble = makeEnsemble({0, 0, 0});
    const std::vector<bool> none(3, false), all(3, true);
    EXPECT_EQ(ensemble.computeFreeEnergyDifference(all, none).value, infinity);
    EXPECT_EQ(ensemble.computeFreeEnergyDifference(none, all).value, -infinity);
    EXPECT_TRUE(std::isnan(ensemble.computeFreeEnergyDifference(none, none).value));
    EXPECT_TRUE(std::isnan(ensemble.computeFreeEnergyDifference(all, none).error));
    EXPECT_EQ(ensemble.computeFreeEnergyDifference(all, all).value, 0);
    EXPECT_EQ(ensemble.computeFreeEnergyDifference(all, all).error, 0);
}

TEST(WeightedEnsemble, RefusesWhatCannotBe) {
    auto make = [](int numParticles, double temperature, size_t numPositions, std::vector<double> logQ,
                   size_t numPotentials) {
        return messageOf([=] {
            WeightedEnsemble(numParticles, temperature, std::vector<double>(numPositions), logQ,
                             std::vector<double>(numPotentials));
        });
    };
    EXPECT_EQ(make(1, 300, 6, {0, 0}, 2), "no exception");
    EXPECT_NE(make(0, 300, 0, {0, 0}, 2), "no exception");
    EXPECT_NE(make(1, 0, 6, {0, 0}, 2), "no exception");
    EXPECT_NE(make(1, notANumber, 6, {0, 0}, 2), "no exception");
    EXPECT_NE(make(1, 300, 6, {0, 0}, 3), "no exception");
    EXPECT_NE(make(1, 300, 5, {0, 0}, 2), "no exception");
    EXPECT_EQ(make(1, 300, 6, {0, -infinity}, 2),
              "Sample 1 has log q = -infinity: it cannot have been drawn from the flow.");
    EXPECT_EQ(make(1, 300, 6, {notANumber, 0}, 2),
              "Sample 0 has log q = NaN: it cannot have been drawn from the flow.");
    const WeightedEnsemble ensemble = makeEnsemble({0, 0, 0});
    EXPECT_NE(messageOf([&] { ensemble.computeExpectation({1, 2}); }), "no exception");
    EXPECT_NE(messageOf([&] {
                  ensemble.computeFreeEnergyDifference({true}, {true, true, true});
              }),
              "no exception");
}

TEST(WeightedEnsemble, TheSummarySaysWhatToBewareOf) {
    Normal normal;
    std::mt19937_64 generator(16);
    const std::string good = normal.draw(5000, generator).toString();
    EXPECT_NE(good.find("cannot see a mode"), std::string::npos);
    EXPECT_NE(good.find("off the flow's support, 0 with"), std::string::npos);
    EXPECT_EQ(good.find("Warning"), std::string::npos);
    // A proposal that is much narrower than the target has weights without a variance.
    normal.proposalWidth = 0.3;
    EXPECT_NE(normal.draw(5000, generator).toString().find("Pareto k is above 0.7"), std::string::npos);
    EXPECT_NE(makeEnsemble({0, 1, 2}).toString().find("too few different weights"), std::string::npos);
}

/** Blocks of samples that share one random number, beside one of their own: y = (common + own) / sqrt(2). */
class Blocks {
public:
    std::vector<double> y;

    WeightedEnsemble draw(long long numBlocks, long long blockSize, std::mt19937_64& generator) {
        std::normal_distribution<double> normal;
        std::vector<double> logWeights;
        y.clear();
        for (long long block = 0; block < numBlocks; block++) {
            const double common = normal(generator);
            for (long long i = 0; i < blockSize; i++) {
                y.push_back((common + normal(generator)) * M_SQRT1_2);
                logWeights.push_back(0.5 * y.back());
            }
        }
        return WeightedEnsemble::fromLogWeights(1, 300, {}, logWeights, std::vector<double>(y.size(), 0.0),
                                                blockSize);
    }
};

TEST(WeightedEnsemble, EstimatesFromBlocksDeviateAsTheirErrorsSay) {
    Blocks blocks;
    std::mt19937_64 generator(17);
    Deviations logZ, average, positive;
    // The weights exp(y/2) shift the standard normal distribution of y by 1/2.
    const double above = 0.5 * std::erfc(-0.5 * M_SQRT1_2);
    for (int replica = 0; replica < 400; replica++) {
        const WeightedEnsemble ensemble = blocks.draw(200, 10, generator);
        logZ.add(ensemble.getLogPartitionFunction(), 0.125);
        average.add(ensemble.computeExpectation(blocks.y), 0.5);
        std::vector<bool> isPositive, isNegative;
        for (double y : blocks.y) {
            isPositive.push_back(y > 0);
            isNegative.push_back(y <= 0);
        }
        positive.add(ensemble.computeFreeEnergyDifference(isPositive, isNegative),
                     std::log(above / (1 - above)));
        EXPECT_LT(ensemble.getNumEffectiveBlocks(), 200);
        EXPECT_GT(ensemble.getNumEffectiveBlocks(), 100);
    }
    logZ.check();
    average.check();
    positive.check();
}

TEST(WeightedEnsemble, BlocksStayWhole) {
    Blocks blocks;
    std::mt19937_64 generator(18);
    const WeightedEnsemble ensemble = blocks.draw(4, 3, generator);
    EXPECT_EQ(ensemble.slice(3, 9).getBlockSize(), 3);
    EXPECT_NE(messageOf([&] { ensemble.slice(3, 8); }).find("multiples of that"), std::string::npos);
    WeightedEnsemble merged = ensemble.slice(0, 3);
    merged.append(ensemble.slice(3, 12));
    EXPECT_TRUE(isSame(merged, ensemble));
    EXPECT_NE(messageOf([&] { merged.append(blocks.draw(2, 2, generator)); }).find("blocks of 3 and 2"),
              std::string::npos);
    EXPECT_NE(messageOf([&] { merged.append(makeEnsemble({0, 1, 2})); }).find("annealed"), std::string::npos);
    EXPECT_TRUE(std::isnan(ensemble.slice(0, 3).computeExpectation({1, 2, 3}).error));
    EXPECT_TRUE(std::isnan(ensemble.getAcceptance()));
    EXPECT_NE(ensemble.toString().find("fewer than 20 effective islands"), std::string::npos);
}

TEST(WeightedEnsemble, RefusesLogWeightsThatAreNone) {
    auto make = [](std::vector<double> logWeights, std::vector<double> reducedPotentials,
                   long long blockSize) {
        return messageOf(
            [&] { WeightedEnsemble::fromLogWeights(1, 300, {}, logWeights, reducedPotentials, blockSize); });
    };
    EXPECT_EQ(make({0, -infinity}, {0, infinity}, 2), "no exception");
    EXPECT_NE(make({0, infinity}, {0, 0}, 1).find("log weight infinity"), std::string::npos);
    EXPECT_NE(make({0, notANumber}, {0, 0}, 1).find("log weight NaN"), std::string::npos);
    EXPECT_NE(make({0, 1}, {0, notANumber}, 1).find("positive weight"), std::string::npos);
    EXPECT_NE(make({0, 1}, {0}, 1).find("1 and 2"), std::string::npos);
    EXPECT_NE(make({0, 1, 2}, {0, 0, 0}, 2).find("no whole number of blocks of 2"), std::string::npos);
    EXPECT_NE(make({0}, {0}, 0), "no exception");
}

}  // namespace
