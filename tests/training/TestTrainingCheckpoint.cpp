// Training that was interrupted goes on from its checkpoint as if it had not been, and from no other.

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "ExpectError.h"
#include "TrainingRuns.h"
#include "openmmflow/internal/TensorFile.h"

using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace std;

TEST(FlowTrainer, ResumesExactly) {
    const Sample data = draw(getTruth(), 1000, 6);
    for (string precision : {"single", "double"}) {
        FlowTrainerOptions options = makeShortOptions();
        options.precision = precision;
        const Flow uninterrupted = FlowTrainer(makeUntrained(), options).train(data.positions);

        // Killed twice: once at a checkpoint, and once some steps after one, which are lost.
        TemporaryFile checkpoint;
        options.checkpointInterval = 0;
        EXPECT_THROW(FlowTrainer(makeUntrained(), options)
                         .train(data.positions, {}, {}, checkpoint,
                                [](const FlowTrainerProgress& progress) {
                                    if (progress.step >= 50)
                                        throw runtime_error("killed");
                                    return true;
                                }),
                     runtime_error);
        options.checkpointInterval = 1e9;
        EXPECT_THROW(FlowTrainer(makeUntrained(), options)
                         .train(data.positions, {}, {}, checkpoint,
                                [](const FlowTrainerProgress& progress) {
                                    EXPECT_GT(progress.step, 49);
                                    if (progress.step >= 75)
                                        throw runtime_error("killed");
                                    return true;
                                }),
                     runtime_error);
        // Stopped, which writes a checkpoint.
        long long stopped = 0;
        FlowTrainer(makeUntrained(), options)
            .train(data.positions, {}, {}, checkpoint, [&](const FlowTrainerProgress& progress) {
                stopped = progress.step;
                return progress.step < 100;
            });
        EXPECT_GE(stopped, 100);
        EXPECT_LT(stopped, 120);
        long long first = 0;
        const Flow resumed =
            FlowTrainer(makeUntrained(), options)
                .train(data.positions, {}, {}, checkpoint, [&](const FlowTrainerProgress& progress) {
                    first = first == 0 ? progress.step : first;
                    return true;
                });
        EXPECT_GT(first, stopped);
        EXPECT_EQ(uninterrupted.getHash(), resumed.getHash());
        EXPECT_NE(makeUntrained().getHash(), resumed.getHash());
        // A finished run is not trained any further.
        EXPECT_EQ(resumed.getHash(),
                  FlowTrainer(makeUntrained(), options)
                      .train(data.positions, {}, {}, checkpoint,
                             [](const FlowTrainerProgress&) -> bool { throw runtime_error("trained"); })
                      .getHash());
    }
}

TEST(FlowTrainer, ResumesExactlyAcrossEarlyStopping) {
    const Sample data = draw(getTruth(), 100, 18);
    const FlowTrainerOptions options = makeOverfittingOptions();
    long long end = 0;
    const Flow uninterrupted =
        FlowTrainer(makeUntrained(), options)
            .train(data.positions, {}, {}, "", [&](const FlowTrainerProgress& progress) {
                end = progress.step;
                return true;
            });
    ASSERT_LT(end, 4000);
    // Stopped in the middle, and when patience is running out already.
    TemporaryFile checkpoint;
    for (long long stop : {end / 2, end - 2 * options.validationInterval})
        FlowTrainer(makeUntrained(), options)
            .train(data.positions, {}, {}, checkpoint,
                   [&](const FlowTrainerProgress& progress) { return progress.step < stop; });
    const Flow resumed =
        FlowTrainer(makeUntrained(), options)
            .train(data.positions, {}, {}, checkpoint, [&](const FlowTrainerProgress& progress) {
                EXPECT_LE(progress.step, end);
                return true;
            });
    EXPECT_EQ(uninterrupted.getHash(), resumed.getHash());
    const auto expected = nlohmann::json::parse(uninterrupted.getMetadata().at("training"));
    const auto found = nlohmann::json::parse(resumed.getMetadata().at("training"));
    for (const char* key : {"ended", "steps", "best_step", "validation_nll", "training_nll"})
        EXPECT_EQ(expected[key], found[key]) << key;
}

TEST(FlowTrainer, RefusesTheCheckpointOfAnotherRun) {
    const Sample data = draw(getTruth(), 300, 10);
    TemporaryFile checkpoint;
    FlowTrainerOptions options = makeShortOptions();
    options.maxSamples = 64 * 5;
    FlowTrainer(makeUntrained(), options).train(data.positions, {}, {}, checkpoint);
    expectError([&] { FlowTrainer(makeUntrained(2), options).train(data.positions, {}, {}, checkpoint); },
                "another flow");
    vector<double> positions = data.positions;
    positions.resize(3 * N * 200);
    expectError([&] { FlowTrainer(makeUntrained(), options).train(positions, {}, {}, checkpoint); },
                "another data");
    expectError(
        [&] {
            FlowTrainer(makeUntrained(), options).train(data.positions, {}, {}, checkpoint, {}, {3, 5});
        },
        "another choice of held-out blocks");
    options.learningRate *= 2;
    expectError([&] { FlowTrainer(makeUntrained(), options).train(data.positions, {}, {}, checkpoint); },
                "another learning_rate (0.001, now 0.002);");
    getTruth().save(checkpoint);
    expectError([&] { FlowTrainer(makeUntrained(), options).train(data.positions, {}, {}, checkpoint); },
                "not a training checkpoint");
}

TEST(FlowTrainer, RefusesACheckpointOfImpossibleNumbers) {
    const Sample data = draw(getTruth(), 300, 16);
    TemporaryFile checkpoint;
    FlowTrainerOptions options = makeShortOptions();
    options.maxSamples = 64 * 20;
    options.patience = 0;
    auto train = [&] { FlowTrainer(makeUntrained(), options).train(data.positions, {}, {}, checkpoint); };
    train();
    const TensorFile good = TensorFile::load(checkpoint);
    const int64_t count = good.getShape("numbers")[0], parameters = good.getShape("average")[0];
    const vector<double> numbers = good.getAnyReals("numbers", {count});
    ASSERT_EQ(20, numbers[0]);
    for (double value : {-1000.0, 0.5, (double)NAN, (double)INFINITY, 1e300, 21.0, 1e15})
        for (int i = 0; i < 5; i++) {
            vector<double> changed = numbers;
            changed[i] = value;
            TensorFile bad = good;
            bad.setReals("numbers", {count}, changed);
            bad.save(checkpoint);
            if (value != 21 || i != 4)
                expectError(train, string(checkpoint));
        }
    for (const char* name : {"parameters", "first_moment", "second_moment", "average", "best"}) {
        TensorFile bad = good;
        bad.setReals(name, {parameters}, vector<double>(parameters, NAN));
        bad.save(checkpoint);
        expectError(train, name);
    }
    TensorFile bad = good;
    bad.setReals("second_moment", {parameters}, vector<double>(parameters, -1));
    bad.save(checkpoint);
    expectError(train, string(checkpoint));
    good.save(checkpoint);
    EXPECT_NO_THROW(train());
}
