// Maximum likelihood on flows of four atoms, whose data are drawn from a flow with known density.

#include "openmmflow/FlowTrainer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "ExpectError.h"
#include "TrainingRuns.h"
#include "openmm/HarmonicBondForce.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/FlowContext.h"
#include "openmmflow/FlowSampler.h"
#include "openmmflow/internal/TensorFile.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace std;
using namespace OpenMMFlow::tests;

namespace {

double averageLogQ(const Flow& flow, const vector<double>& positions) {
    FlowContext context(flow, Platform::getPlatformByName("Reference"));
    double sum = 0;
    const vector<double> logQ = context.computeLogDensity(positions);
    for (double value : logQ)
        sum += value;
    return sum / logQ.size();
}

double average(const vector<double>& values) {
    double sum = 0;
    for (double value : values)
        sum += value;
    return sum / values.size();
}

}  // namespace

TEST(FlowTrainer, LearnsAKnownDistribution) {
    const Sample data = draw(getTruth(), 20000, 1), fresh = draw(getTruth(), 4000, 2);
    FlowTrainerOptions options;
    options.batchSize = 256;
    options.maxSamples = 256 * 1500;
    options.learningRate = 3e-3;
    options.warmupSteps = 50;
    options.threads = 1;
    const Flow untrained = makeUntrained();
    FlowTrainer trainer(untrained, options);
    FlowTrainerProgress last;
    const Flow flow = trainer.train(data.positions, {}, {}, "", [&](const FlowTrainerProgress& progress) {
        last = progress;
        return true;
    });
    const double best = average(fresh.logQ), found = averageLogQ(flow, fresh.positions);
    EXPECT_GT(best - averageLogQ(untrained, fresh.positions), 0.3);
    EXPECT_LT(best - found, 0.1);
    // What is reported is what the flow has.
    EXPECT_NEAR(-found, last.bestValidationNLL, 0.15);
    EXPECT_EQ(last.step, last.totalSteps);
    EXPECT_EQ("test", flow.getMetadata().at("title"));
    const auto provenance = nlohmann::json::parse(flow.getMetadata().at("training"));
    EXPECT_EQ(data.logQ.size(),
              (size_t)provenance["training_frames"] + (size_t)provenance["validation_frames"]);
    EXPECT_DOUBLE_EQ(last.bestValidationNLL, provenance["validation_nll"]);
}

TEST(FlowTrainer, WeightsChangeTheTarget) {
    // Frames of two flows, of which the weights leave only one.
    const Sample wanted = draw(getTruth(), 4000, 3), other = draw(makeUntrained(), 4000, 4);
    vector<double> positions, weights;
    const size_t count = min(wanted.logQ.size(), other.logQ.size());
    for (size_t i = 0; i < count; i++)
        for (const Sample* sample : {&wanted, &other}) {
            positions.insert(positions.end(), &sample->positions[3 * N * i],
                             &sample->positions[3 * N * (i + 1)]);
            weights.push_back(sample == &wanted ? 2.5 : 1e-9);
        }
    FlowTrainerOptions options = makeShortOptions();
    options.batchSize = 256;
    options.maxSamples = 256 * 200;
    const Sample fresh = draw(getTruth(), 2000, 5);
    const double weighted =
        averageLogQ(FlowTrainer(makeUntrained(), options).train(positions, weights), fresh.positions);
    const double unweighted =
        averageLogQ(FlowTrainer(makeUntrained(), options).train(positions), fresh.positions);
    EXPECT_GT(weighted, unweighted + 0.05);
}

TEST(FlowTrainer, StopsEarlyWhenItOverfits) {
    const Sample data = draw(getTruth(), 100, 7);
    const FlowTrainerOptions options = makeOverfittingOptions();
    FlowTrainerProgress last;
    const Flow flow = FlowTrainer(makeUntrained(), options)
                          .train(data.positions, {}, {}, "", [&](const FlowTrainerProgress& progress) {
                              last = progress;
                              return true;
                          });
    EXPECT_LT(last.step, last.totalSteps);
    EXPECT_GT(last.validationNLL, last.bestValidationNLL);
    EXPECT_LT(last.trainingNLL, last.validationNLL);
    const auto provenance = nlohmann::json::parse(flow.getMetadata().at("training"));
    EXPECT_EQ(last.step - 4 * options.validationInterval, provenance["best_step"]);
}

TEST(FlowTrainer, NeverReturnsWhatIsWorseThanItsInput) {
    const Sample data = draw(getTruth(), 1000, 11);
    // The truth can only be lost, with steps as large as these.
    FlowTrainerOptions options = makeShortOptions();
    options.learningRate = 0.1;
    FlowTrainerProgress last;
    const Flow flow = FlowTrainer(getTruth(), options)
                          .train(data.positions, {}, {}, "", [&](const FlowTrainerProgress& progress) {
                              last = progress;
                              return true;
                          });
    EXPECT_GT(last.validationNLL, last.bestValidationNLL + 0.1);
    // But for the round-off of single precision.
    EXPECT_NEAR(averageLogQ(getTruth(), data.positions), averageLogQ(flow, data.positions), 1e-5);
    EXPECT_EQ(0, nlohmann::json::parse(flow.getMetadata().at("training"))["best_step"]);
}

TEST(FlowTrainer, ValidatesOnTheBlocksThatAreNamed) {
    const Sample data = draw(getTruth(), 1000, 12);
    FlowTrainerOptions options = makeShortOptions();
    options.maxSamples = 64 * 5;
    const Flow flow = FlowTrainer(makeUntrained(), options).train(data.positions, {}, {}, "", {}, {3, 5});
    const auto provenance = nlohmann::json::parse(flow.getMetadata().at("training"));
    EXPECT_EQ((vector<int>{3, 5}), provenance["held_out_blocks"]);
    EXPECT_NEAR(2.0 / 50 * (double)data.logQ.size(), provenance["validation_frames"], 2);
}

TEST(FlowTrainer, TellsHowItEnded) {
    const Sample data = draw(getTruth(), 1000, 13);
    auto train = [&](const FlowTrainerOptions& options, const FlowTrainer::Progress& progress = {}) {
        const Flow flow = FlowTrainer(makeUntrained(), options).train(data.positions, {}, {}, "", progress);
        return nlohmann::json::parse(flow.getMetadata().at("training"));
    };
    FlowTrainerOptions options = makeShortOptions();
    const auto provenance = train(options);
    EXPECT_EQ("all samples used", provenance["ended"]);
    EXPECT_EQ(makeUntrained().getHash(), provenance["initial_flow"]);
    EXPECT_EQ(1, provenance["threads"]);
    EXPECT_EQ(0, provenance["time_budget"]);
    EXPECT_EQ(0, provenance["target_proposals"]);
    EXPECT_TRUE(provenance["pareto_k"].is_null());
    EXPECT_EQ(0u, string(provenance["torch_version"]).find("2."));
    EXPECT_EQ("callback", train(options, [](const FlowTrainerProgress&) { return false; })["ended"]);
    options.learningRate = 0.1;
    options.patience = 1;
    EXPECT_EQ("patience", train(options)["ended"]);
    options = makeShortOptions();
    options.maxSamples = 1000000000;
    options.timeBudget = 0.1;
    EXPECT_EQ("time budget", train(options, [&](const FlowTrainerProgress& progress) {
                  EXPECT_LE(progress.secondsLeft, 0.1);
                  EXPECT_GE(progress.secondsLeft, 0);
                  return true;
              })["ended"]);
}

TEST(FlowTrainer, EstimatesTheTargetForTheFlowThatItReturns) {
    const Sample data = draw(getTruth(), 500, 14);
    System system;
    for (int i = 0; i < N; i++)
        system.addParticle(1);
    auto* bonds = new HarmonicBondForce();
    for (int i = 1; i < N; i++)
        bonds->addBond(i - 1, i, 0.15, 1e4);
    system.addForce(bonds);
    FlowTrainerOptions options = makeShortOptions();
    options.targetSamples = 300;
    options.targetInterval = 10;
    // The returned flow is that which training started from, since steps are much too large.
    options.learningRate = 0.3;
    FlowTrainer trainer(getTruth(), options);
    trainer.setTarget(system, 300);
    for (bool stop : {false, true}) {
        long long step = 0;
        double reported = 0;
        const Flow flow = trainer.train(data.positions, {}, {}, "", [&](const FlowTrainerProgress& progress) {
            step = progress.step;
            reported = progress.effectiveSampleFraction;
            return !stop;
        });
        const auto provenance = nlohmann::json::parse(flow.getMetadata().at("training"));
        EXPECT_EQ(0, provenance["best_step"]);
        EXPECT_EQ(300, provenance["target_proposals"]);
        const WeightedEnsemble expected = FlowSampler(system, flow, 300).sample(300, 0, step * 300);
        EXPECT_NEAR(expected.getEffectiveSampleFraction(), provenance["effective_sample_fraction"], 1e-9);
        EXPECT_NEAR(expected.getParetoK(), provenance["pareto_k"], 1e-6);
        EXPECT_NE(reported, provenance["effective_sample_fraction"]);
    }
}

TEST(FlowTrainer, LeavesTheNumberOfThreadsAsItWas) {
    const Sample data = draw(getTruth(), 200, 15);
    FlowTrainerOptions options = makeShortOptions();
    options.maxSamples = 64 * 2;
    const int before = at::get_num_threads();
    at::set_num_threads(1);
    for (int threads : {0, 3}) {
        options.threads = threads;
        const Flow flow = FlowTrainer(makeUntrained(), options).train(data.positions);
        EXPECT_EQ(threads == 0 ? thread::hardware_concurrency() : 3,
                  nlohmann::json::parse(flow.getMetadata().at("training"))["threads"]);
        EXPECT_EQ(1, at::get_num_threads());
    }
    at::set_num_threads(before);
}

TEST(FlowTrainer, LimitsOnEpochsAndTime) {
    const Sample data = draw(getTruth(), 1000, 8);
    FlowTrainerOptions options = makeShortOptions();
    options.maxEpochs = 3;
    FlowTrainerProgress last;
    auto record = [&](const FlowTrainerProgress& progress) {
        last = progress;
        return true;
    };
    FlowTrainer(makeUntrained(), options).train(data.positions, {}, {}, "", record);
    EXPECT_LE(last.epoch, 3);
    EXPECT_GT(last.epoch, 2.8);
    options = makeShortOptions();
    options.maxSamples = 1000000000;
    options.timeBudget = 0.2;
    FlowTrainer(makeUntrained(), options).train(data.positions, {}, {}, "", record);
    EXPECT_LT(last.step, last.totalSteps);
}

TEST(FlowTrainer, RefusesDataThatMakeNoSense) {
    const Sample data = draw(getTruth(), 100, 9);
    const size_t frames = data.logQ.size();
    FlowTrainer trainer(makeUntrained(), makeShortOptions());
    expectError([&] { trainer.train({}); }, "There are no frames");
    expectError([&] { trainer.train(vector<double>(15)); }, "4 particles");
    vector<double> positions = data.positions;
    positions[3 * N * 7 + 1] = NAN;
    expectError([&] { trainer.train(positions); }, "Frame 7");
    positions = data.positions;
    for (int i = 0; i < 3; i++)
        positions[3 * N * 5 + 3 + i] = positions[3 * N * 5 + i];
    expectError([&] { trainer.train(positions); }, "Frame 5");
    expectError([&] { trainer.train(data.positions, {1.0}); }, "weights");
    expectError([&] { trainer.train(data.positions, {}, {1}); }, "blocks");
    vector<double> weights(frames, 1.0);
    weights[3] = -1;
    expectError([&] { trainer.train(data.positions, weights); }, "frame 3");
    expectError([&] { trainer.train(data.positions, vector<double>(frames, 0.0)); }, "All weights are zero");
    expectError([&] { trainer.train(data.positions, {}, vector<int64_t>(frames, 3)); }, "one block");
}

TEST(FlowTrainer, RefusesOptionsThatMakeNoSense) {
    auto refuses = [](auto change, const string& message) {
        FlowTrainerOptions options;
        change(options);
        expectError([&] { FlowTrainer(makeUntrained(), options); }, message);
    };
    refuses([](auto& options) { options.batchSize = 0; }, "batch size");
    refuses([](auto& options) { options.learningRate = -1; }, "learning rate");
    refuses([](auto& options) { options.learningRate = NAN; }, "learning rate");
    refuses([](auto& options) { options.validationFraction = 1; }, "validation fraction");
    refuses([](auto& options) { options.averagingDecay = 1; }, "decay");
    refuses([](auto& options) { options.precision = "half"; }, "precision");
    EXPECT_NO_THROW(FlowTrainer(makeUntrained(), FlowTrainerOptions()));
}

TEST(FlowTrainer, SaysInOneSentenceWhatTorchSaysInMany) {
    const Sample data = draw(getTruth(), 300, 17);
    auto fail = [](const FlowTrainerProgress&) { return at::empty({1LL << 60}).numel() > 0; };
    expectError(
        [&] { FlowTrainer(makeUntrained(), makeShortOptions()).train(data.positions, {}, {}, "", fail); },
        "allocate memory");
}
