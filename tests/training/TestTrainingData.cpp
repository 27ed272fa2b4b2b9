// What the trainer learns from, and what it holds out.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "BatchOrder.h"
#include "ExpectError.h"
#include "RandomFlow.h"
#include "TrainableInternalFlow.h"
#include "TrainingData.h"

using namespace OpenMMFlow;
using tests::expectError;
using namespace std;

namespace {

const Flow& getSource() {
    static const Flow flow = makeRandomFlow(3, InternalFlowModel::Activation::SiLU, 31);
    return flow;
}

const TrainableFlow& getFlow() {
    static const TrainableInternalFlow flow(getSource(), {});
    return flow;
}

/** Frames of three atoms whose first bond grows with the index of the frame. */
vector<double> makeFrames(int count) {
    vector<double> positions;
    for (int i = 0; i < count; i++)
        positions.insert(positions.end(), {0, 0, 0, 0.1 + 1e-4 * i, 0, 0, 0.1, 0.1, 0.01});
    return positions;
}

set<int> getFrames(const TrainingData::Part& part) {
    const InternalCoordinates& coordinates =
        dynamic_cast<const InternalFlowModel&>(getSource().getModel()).getCoordinates();
    set<int> frames;
    for (int64_t i = 0; i < part.numFrames; i++) {
        const double bond = coordinates.center[0] + coordinates.scale[0] * part.coordinates[3 * i];
        frames.insert((int)lround((bond - 0.1) / 1e-4));
    }
    return frames;
}

}  // namespace

TEST(TrainingData, HoldsOutWholeBlocks) {
    const int count = 300;
    vector<int64_t> blocks;
    for (int i = 0; i < count; i++)
        blocks.push_back((i * 7) % 10 * 1000 - 3);
    for (uint32_t seed : {0u, 1u}) {
        TrainingData data = prepareTrainingData(getFlow(), makeFrames(count), {}, blocks, {0.25, 1000, seed});
        EXPECT_EQ(10, data.numBlocks);
        EXPECT_EQ(90, data.validation.numFrames);
        EXPECT_EQ(210, data.training.numFrames);
        set<int> training = getFrames(data.training), heldOut = getFrames(data.validation);
        EXPECT_EQ(210u, training.size());
        set<int64_t> trainingBlocks, heldOutBlocks;
        for (int i : training)
            trainingBlocks.insert(blocks[i]);
        for (int i : heldOut)
            heldOutBlocks.insert(blocks[i]);
        EXPECT_EQ(7u, trainingBlocks.size());
        EXPECT_EQ(3u, heldOutBlocks.size());
    }
}

TEST(TrainingData, HoldsOutTheBlocksThatAreNamed) {
    const vector<double> frames = makeFrames(100);
    vector<int64_t> blocks;
    for (int i = 0; i < 100; i++)
        blocks.push_back(7 * (i / 10));
    const TrainingData data =
        prepareTrainingData(getFlow(), frames, {}, blocks, {0.5, 1000, 0, {63, 14, 63}});
    EXPECT_EQ((vector<int64_t>{14, 63}), data.heldOutBlocks);
    set<int> expected;
    for (int i = 0; i < 10; i++)
        expected.insert({20 + i, 90 + i});
    EXPECT_EQ(expected, getFrames(data.validation));
    EXPECT_EQ(80, data.training.numFrames);
    EXPECT_EQ((vector<int64_t>{49}),
              prepareTrainingData(getFlow(), frames, {}, {}, {0.5, 1000, 0, {49}}).heldOutBlocks);
    auto hold = [&](const vector<int64_t>& heldOut) {
        prepareTrainingData(getFlow(), frames, {}, blocks, {0.5, 1000, 0, heldOut});
    };
    expectError([&] { hold({7, 8}); }, "Block 8");
    expectError([&] { hold({0, 7, 14, 21, 28, 35, 42, 49, 56, 63}); }, "All blocks");
}

TEST(TrainingData, CutsOneTrajectoryIntoPieces) {
    const int count = 1000;
    TrainingData data = prepareTrainingData(getFlow(), makeFrames(count), {}, {}, {0.1, 1000, 0});
    EXPECT_EQ(100, data.validation.numFrames);
    // Five pieces of 20 neighbours each: there are at most five gaps.
    int gaps = 0, last = -2;
    for (int i : getFrames(data.validation)) {
        gaps += i != last + 1;
        last = i;
    }
    EXPECT_LE(gaps, 5);
}

TEST(TrainingData, WeightsAverageToOne) {
    const int count = 100;
    vector<double> weights;
    for (int i = 0; i < count; i++)
        weights.push_back(i % 4);
    TrainingData data = prepareTrainingData(getFlow(), makeFrames(count), weights, {}, {0.2, 1000, 0});
    EXPECT_EQ(75, data.training.numFrames + data.validation.numFrames);
    for (const auto* part : {&data.training, &data.validation}) {
        double sum = 0;
        for (double weight : part->weights)
            sum += weight;
        EXPECT_NEAR(part->numFrames, sum, 1e-9);
        EXPECT_GT(*min_element(part->weights.begin(), part->weights.end()), 0);
    }
}

TEST(TrainingData, IgnoresFramesOfWeightZero) {
    const int count = 100;
    vector<double> frames = makeFrames(count), weights(count, 1.0);
    // Two atoms in one place, and a number that is none.
    copy_n(&frames[9 * 7], 3, &frames[9 * 7 + 3]);
    frames[9 * 8] = NAN;
    expectError([&] { prepareTrainingData(getFlow(), frames, weights, {}, {0.2, 1000, 0}); }, "Frame 7");
    weights[7] = weights[8] = 0;
    const TrainingData data = prepareTrainingData(getFlow(), frames, weights, {}, {0.2, 1000, 0});
    EXPECT_EQ(98, data.training.numFrames + data.validation.numFrames);
}

TEST(TrainingData, ValidatesOnALimitedNumberOfFrames) {
    TrainingData data = prepareTrainingData(getFlow(), makeFrames(1000), {}, {}, {0.4, 100, 0});
    EXPECT_LE(data.validation.numFrames, 100);
    EXPECT_GE(data.validation.numFrames, 90);
    EXPECT_EQ(600, data.training.numFrames);
}

TEST(TrainingData, HashTellsDataApart) {
    auto hash = [](const vector<double>& positions, const vector<double>& weights) {
        return prepareTrainingData(getFlow(), positions, weights, {}, {0.2, 100, 0}).hash;
    };
    const vector<double> frames = makeFrames(100);
    EXPECT_EQ(hash(frames, {}), hash(frames, {}));
    EXPECT_NE(hash(frames, {}), hash(frames, vector<double>(100, 1.0)));
    vector<double> changed = frames;
    changed[500] += 1e-9;
    EXPECT_NE(hash(frames, {}), hash(changed, {}));
    const vector<double> many = makeFrames(5000);
    changed = many;
    changed.back() += 1e-9;
    EXPECT_NE(hash(many, {}), hash(changed, {}));
}

TEST(BatchOrder, UsesEachFrameOncePerEpoch) {
    const int numFrames = 103, batchSize = 10;
    BatchOrder order(numFrames, batchSize, 5);
    vector<int64_t> drawn;
    for (int step = 0; step < 31; step++) {
        vector<int64_t> batch = order.getBatch(step);
        drawn.insert(drawn.end(), batch.begin(), batch.end());
    }
    vector<int64_t> first(drawn.begin(), drawn.begin() + numFrames),
        second(drawn.begin() + numFrames, drawn.begin() + 2 * numFrames);
    EXPECT_NE(first, second);
    sort(first.begin(), first.end());
    sort(second.begin(), second.end());
    for (int i = 0; i < numFrames; i++) {
        EXPECT_EQ(i, first[i]);
        EXPECT_EQ(i, second[i]);
    }
    // A step is the same for one that begins with it.
    for (int step : {0, 9, 10, 11, 30}) {
        vector<int64_t> expected(drawn.begin() + step * batchSize, drawn.begin() + (step + 1) * batchSize);
        EXPECT_EQ(expected, BatchOrder(numFrames, batchSize, 5).getBatch(step));
        EXPECT_NE(expected, BatchOrder(numFrames, batchSize, 6).getBatch(step));
    }
}
