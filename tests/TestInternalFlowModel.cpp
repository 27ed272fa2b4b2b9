// The model of the internal family before any training: masks, initial weights, and the checks of its parts.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "ExpectError.h"
#include "HandmadeFlow.h"

using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;

namespace {

using Configuration = InternalFlowModel::Configuration;

class UntrainedModel : public testing::TestWithParam<int> {
protected:
    int numParticles = GetParam();
    InternalCoordinates coordinates = makeChain(numParticles);
    Configuration configuration = [] {
        Configuration result;
        result.couplings = 8;
        result.hidden = 5;
        return result;
    }();
    InternalFlowModel model{coordinates, configuration, 3};
};
INSTANTIATE_TEST_SUITE_P(NumParticles, UntrainedModel, testing::Values(3, 4, 5, 6, 22));

TEST_P(UntrainedModel, CouplingsComeInComplementaryPairs) {
    ASSERT_EQ(model.getCouplings().size(), 8u);
    for (int l = 0; l < 8; l += 2) {
        EXPECT_EQ(model.getCouplings()[l].transformed, model.getCouplings()[l + 1].conditioning);
        EXPECT_EQ(model.getCouplings()[l].conditioning, model.getCouplings()[l + 1].transformed);
    }
}

TEST_P(UntrainedModel, MasksHalveEveryKindOfCoordinate) {
    for (const SplineCoupling& coupling : model.getCouplings()) {
        int counts[4] = {}, total[4] = {};
        auto kind = [&](int j) {
            return j < numParticles - 1 ? 0 : j < 2 * numParticles - 3 ? 1 : coordinates.circular[j] ? 3 : 2;
        };
        for (int j = 0; j < coordinates.getNumCoordinates(); j++)
            total[kind(j)]++;
        for (int j : coupling.transformed)
            counts[kind(j)]++;
        int sum = 0;
        for (int k = 0; k < 4; k++) {
            EXPECT_LE(std::abs(2 * counts[k] - total[k]), 1);
            sum += counts[k];
        }
        EXPECT_LE(std::abs(2 * sum - coordinates.getNumCoordinates()), 1);
    }
}

TEST_P(UntrainedModel, HiddenLayersAreRandomAndOutputsZero) {
    for (const SplineCoupling& coupling : model.getCouplings()) {
        EXPECT_EQ(coupling.input.inputs, model.getNumFeatures(coupling));
        EXPECT_EQ(coupling.output.outputs, model.getNumOutputs(coupling));
        for (const std::vector<double>* zero : {&coupling.output.weight, &coupling.output.bias})
            EXPECT_TRUE(std::all_of(zero->begin(), zero->end(), [](double value) { return value == 0; }));
        for (const auto& [first, second] : coupling.blocks) {
            std::set<double> distinct(first.weight.begin(), first.weight.end());
            EXPECT_EQ(distinct.size(), first.weight.size());
            for (double value : first.weight) {
                EXPECT_LE(std::abs(value), 1 / std::sqrt(5.0));
                EXPECT_EQ(value, (float)value);
            }
            EXPECT_NE(first.weight, second.weight);
        }
    }
}

TEST_P(UntrainedModel, SeedDeterminesEverything) {
    InternalFlowModel same(coordinates, configuration, 3), other(coordinates, configuration, 4);
    EXPECT_EQ(same.getCouplings()[0].input.weight, model.getCouplings()[0].input.weight);
    EXPECT_NE(other.getCouplings()[0].input.weight, model.getCouplings()[0].input.weight);
    std::set<std::vector<int>> masks;
    for (const SplineCoupling& coupling : model.getCouplings())
        masks.insert(coupling.transformed);
    // The two bonds and the angle of three atoms can be halved in two ways only.
    EXPECT_GT(masks.size(), numParticles > 3 ? 2u : 1u);
}

TEST(InternalFlowModel, WeightsAreSpreadOverTheirRange) {
    Configuration configuration;
    configuration.couplings = 1;
    InternalFlowModel model(makeChain(10), configuration, 1);
    const std::vector<double>& weight = model.getCouplings()[0].blocks[0].first.weight;
    double sum = 0, squares = 0;
    for (double value : weight) {
        sum += value;
        squares += value * value;
    }
    // Uniform within 1/sqrt(128), whose variance is a third of the square.
    double variance = 1.0 / 3 / 128, count = 128.0 * 128;
    EXPECT_NEAR(sum / count, 0, 4 * std::sqrt(variance / count));
    EXPECT_NEAR(squares / count, variance, 4 * variance * std::sqrt(0.8 / count));
}

TEST(InternalFlowModel, CountsFeaturesAndOutputs) {
    Configuration configuration;
    configuration.bins = 5;
    // Torsions 0 and 2 of 6 atoms (coordinates 9 and 11) are circular.
    const auto model = std::make_shared<InternalFlowModel>(makeChain(6), configuration, 1);
    SplineCoupling coupling;
    coupling.transformed = {0, 9, 10};
    coupling.conditioning = {1, 2, 11};
    EXPECT_EQ(model->getNumFeatures(coupling), 10);
    EXPECT_EQ(model->getNumOutputs(coupling), 11 + 16 + 11);
    EXPECT_TRUE(model->getFeatureProducts(coupling).empty());
    coupling.conditioning = {9, 10, 11};
    EXPECT_EQ(model->getNumFeatures(coupling), 8 + 1 + 8 + 4);
    ASSERT_EQ(model->getFeatureProducts(coupling).size(), 1u);
    EXPECT_EQ(model->getFeatureProducts(coupling)[0].first, 0);
    EXPECT_EQ(model->getFeatureProducts(coupling)[0].second, 9);
    EXPECT_EQ(model->getFeatureProducts(coupling)[0].place, 17);
}

TEST(InternalFlowModel, LogDensityConstantIsThatOfTheScales) {
    std::shared_ptr<const InternalFlowModel> model = makeRandomModel(4, 1);
    // Three bonds, two angles, and one torsion that is circular.
    double expected =
        -3 * std::log(0.003) - 2 * std::log(0.05) - std::log(8 * M_PI * M_PI) + 1.5 * std::log(4.0);
    EXPECT_NEAR(model->getLogDensityConstant(), expected, 1e-12);
}

TEST(InternalFlowModel, PartsAreChecked) {
    InternalCoordinates chain = makeChain(5);
    Configuration configuration = makeRandomModel(5, 1)->getOptions();
    const std::vector<SplineCoupling> valid = makeRandomModel(5, 1)->getCouplings();
    auto expectErrorAfter = [&](auto change, const std::string& fragment) {
        std::vector<SplineCoupling> couplings = valid;
        change(couplings);
        expectError([&] { InternalFlowModel(chain, configuration, couplings); }, fragment);
    };
    EXPECT_NO_THROW(InternalFlowModel(chain, configuration, valid));
    expectErrorAfter([](auto& c) { c.pop_back(); }, "does not have 4 couplings");
    expectErrorAfter([](auto& c) { c[1].transformed[0] = -1; }, "coupling 1 does not divide the coordinates");
    expectErrorAfter([](auto& c) { c[1].transformed[0] = 9; }, "coupling 1 does not divide the coordinates");
    expectErrorAfter([](auto& c) { c[1].transformed.pop_back(); },
                     "coupling 1 does not divide the coordinates");
    expectErrorAfter([](auto& c) { std::swap(c[1].transformed[0], c[1].transformed[1]); },
                     "in ascending order");
    expectErrorAfter([](auto& c) { c[2].blocks.clear(); }, "coupling 2 does not have 1 blocks");
    expectErrorAfter([](auto& c) { c[2].input.weight.pop_back(); }, "the input of coupling 2 is not a layer");
    expectErrorAfter([](auto& c) { c[2].blocks[0].second.inputs = 5; },
                     "a block of coupling 2 is not a layer");
    expectErrorAfter([](auto& c) { c[0].output.bias[0] = NAN; },
                     "the output of coupling 0 has a weight that is not");
    chain.placements[4].torsion = 4;
    expectErrorAfter([](auto&) {}, "atom 4 refers to atom 4, which is not placed before it");
}

TEST(InternalFlowModel, UnreasonableSizesAreRefused) {
    auto expectErrorWith = [](auto change, const std::string& fragment) {
        Configuration configuration;
        change(configuration);
        expectError([&] { InternalFlowModel(makeChain(4), configuration, 0); }, fragment);
    };
    expectErrorWith([](Configuration& c) { c.couplings = 0; },
                    "couplings must lie in 1 to 1000, and 0 does not");
    expectErrorWith([](Configuration& c) { c.hidden = -3; },
                    "hidden units must lie in 1 to 16384, and -3 does not");
    expectErrorWith([](Configuration& c) { c.blocks = 101; }, "blocks must lie in 0 to 100");
    expectErrorWith([](Configuration& c) { c.bins = 64; }, "bins must lie in 2 to 32");
    expectErrorWith([](Configuration& c) { c.linearBins = 1; }, "linear bins must lie in 2 to 32");
    expectErrorWith([](Configuration& c) { c.harmonics = 0; }, "harmonics must lie in 1 to 32");
    expectErrorWith([](Configuration& c) { c.tailBound = NAN; }, "tail bound");
    expectErrorWith([](Configuration& c) { c.hidden = 16384; }, "more than 1000000000 parameters");
    expectErrorWith(
        [](Configuration& c) {
            c = {.couplings = 1000, .hidden = 8000, .blocks = 0, .bins = 2, .linearBins = 32};
        },
        "more than 1000000000 parameters");
    InternalCoordinates pair = makeChain(3);
    pair.placements.pop_back();
    expectError([&] { InternalFlowModel(pair, Configuration(), 0); },
                "there are 2 atoms, and at least 3 are needed");
}

}  // namespace
