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
#include "RandomFlow.h"
#include "openmm/HarmonicBondForce.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/FlowContext.h"
#include "openmmflow/FlowSampler.h"
#include "openmmflow/internal/TensorFile.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace std;
using tests::expectError;

namespace {

const int N = 4;

struct Sample {
    vector<double> positions, logQ;
};

/** Frames of a flow that lie inside its support. */
Sample draw(const Flow& flow, int64_t count, uint64_t seed) {
    FlowContext context(flow, Platform::getPlatformByName("Reference"));
    Sample all, inside;
    context.sample(count, all.positions, all.logQ, seed);
    for (int64_t i = 0; i < count; i++)
        if (isfinite(all.logQ[i])) {
            inside.positions.insert(inside.positions.end(), &all.positions[3 * N * i],
                                    &all.positions[3 * N * (i + 1)]);
            inside.logQ.push_back(all.logQ[i]);
        }
    return inside;
}

/** A random flow, smooth enough that a small network can learn it. */
const Flow& getTruth() {
    static const Flow truth = [] {
        const Flow random = makeRandomFlow(N, InternalFlowModel::Activation::SiLU, 21);
        const auto& model = dynamic_cast<const InternalFlowModel&>(random.getModel());
        vector<SplineCoupling> couplings = model.getCouplings();
        for (SplineCoupling& coupling : couplings)
            for (vector<double>* values : {&coupling.output.weight, &coupling.output.bias})
                for (double& value : *values)
                    value *= 0.5;
        return Flow(make_shared<InternalFlowModel>(model.getCoordinates(), model.getOptions(), couplings));
    }();
    return truth;
}

Flow makeUntrained(unsigned seed = 1) {
    InternalFlowModel::Configuration configuration;
    configuration.couplings = 6;
    configuration.hidden = 32;
    configuration.blocks = 1;
    InternalCoordinates coordinates =
        dynamic_cast<const InternalFlowModel&>(getTruth().getModel()).getCoordinates();
    return Flow(make_shared<InternalFlowModel>(coordinates, configuration, seed), {{"title", "test"}});
}

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

FlowTrainerOptions makeShortOptions() {
    FlowTrainerOptions options;
    options.batchSize = 64;
    options.maxSamples = 64 * 120;
    options.warmupSteps = 10;
    options.validationInterval = 25;
    options.threads = 1;
    return options;
}

class TemporaryFile {
public:
    TemporaryFile()
        : path(filesystem::temp_directory_path() / ("openmmflow-training-" + to_string(getpid()))) {
        remove();
    }
    ~TemporaryFile() { remove(); }
    operator string() const { return path; }

private:
    void remove() { filesystem::remove(path); }
    filesystem::path path;
};

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

TEST(FlowTrainer, StopsEarlyWhenItOverfits) {
    const Sample data = draw(getTruth(), 100, 7);
    FlowTrainerOptions options = makeShortOptions();
    options.maxSamples = 64 * 4000;
    options.learningRate = 5e-3;
    options.averagingDecay = 0.9;
    options.patience = 4;
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

TEST(FlowTrainer, ResumesExactlyAcrossEarlyStopping) {
    const Sample data = draw(getTruth(), 100, 18);
    FlowTrainerOptions options = makeShortOptions();
    options.maxSamples = 64 * 4000;
    options.learningRate = 5e-3;
    options.averagingDecay = 0.9;
    options.patience = 4;
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

TEST(FlowTrainer, SaysInOneSentenceWhatTorchSaysInMany) {
    const Sample data = draw(getTruth(), 300, 17);
    auto fail = [](const FlowTrainerProgress&) { return at::empty({1LL << 60}).numel() > 0; };
    expectError(
        [&] { FlowTrainer(makeUntrained(), makeShortOptions()).train(data.positions, {}, {}, "", fail); },
        "allocate memory");
}
