// Training from the energy alone by the objectives that keep samples for many steps.

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "EnergyRuns.h"
#include "ExpectError.h"
#include "openmmflow/internal/TensorFile.h"

using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace std;

namespace {

struct Variant {
    const char* objective;
    bool pathGradients;
    double pathGradientShare;
};

void PrintTo(const Variant& variant, ostream* stream) {
    *stream << variant.objective << (variant.pathGradients ? " by path gradients" : "") << " mixed with "
            << variant.pathGradientShare;
}

class BufferedTraining : public testing::TestWithParam<Variant> {
protected:
    FlowTrainerOptions makeOptions() const {
        FlowTrainerOptions options = makeEnergyOptions();
        options.objective = GetParam().objective;
        options.pathGradients = GetParam().pathGradients;
        options.pathGradientShare = GetParam().pathGradientShare;
        options.bufferSize = 2000;
        options.stageSteps = 50;
        options.trustRegion = 1;
        options.entropyDecay = 1;
        options.annealingDensities = 3;
        options.leapfrogSteps = 2;
        return options;
    }
    bool isStaged() const { return string(GetParam().objective) != "bootstrap"; }
    /** How many energies so many steps take, without those of validations. */
    static long long countEnergies(const FlowTrainerOptions& options, long long steps) {
        const long long pretraining = (long long)(options.pretrainingFraction * steps),
                        rest = steps - pretraining;
        const long long fresh = pretraining + (options.pathGradientShare > 0 ? rest : 0);
        auto divideUp = [](long long a, long long b) { return (a + b - 1) / b; };
        if (options.objective != "bootstrap")
            return fresh * options.batchSize + divideUp(rest, options.stageSteps) * options.bufferSize;
        const long long additions = divideUp(rest, options.bootstrapInterval);
        return fresh * options.batchSize
               + (options.bufferSize / 8 + (additions - 1) * options.batchSize)
                     * (1 + options.annealingDensities * options.leapfrogSteps);
    }
};

INSTANTIATE_TEST_SUITE_P(Objectives, BufferedTraining,
                         testing::Values(Variant{"annealed-importance", false, 0},
                                         Variant{"annealed-importance", true, 0.5},
                                         Variant{"mass-transport", false, 0},
                                         Variant{"mass-transport", true, 0.5}, Variant{"bootstrap", false, 0},
                                         Variant{"bootstrap", false, 0.5}));

}  // namespace

TEST_P(BufferedTraining, FindsTheTarget) {
    FlowTrainerOptions options = makeOptions();
    options.maxSamples = 64 * 700;
    options.validationInterval = 350;
    FlowTrainer trainer(makeUntrained(), options);
    trainer.setTarget(*makeTarget(), temperature);
    long long evaluations = 0;
    const Flow trained = trainer.trainOnEnergy("", [&](const FlowTrainerProgress& progress) {
        evaluations = progress.energyEvaluations;
        return true;
    });
    const WeightedEnsemble ensemble = sample(trained);
    EXPECT_LT(sample(makeUntrained()).getEffectiveSampleFraction(), 0.3);
    EXPECT_GT(ensemble.getEffectiveSampleFraction(), 0.8);
    const auto logZ = ensemble.getLogPartitionFunction();
    EXPECT_NEAR(logZ.value, 0, 4 * logZ.error) << "the target is normalised";
    EXPECT_EQ(evaluations, countEnergies(options, 700) + 3 * options.targetSamples);
    const auto training = nlohmann::json::parse(trained.getMetadata().at("training"));
    EXPECT_EQ(training["buffer_size"], 2000);
    EXPECT_EQ(training["path_gradient_share"], GetParam().pathGradientShare);
    EXPECT_EQ(training["pretraining_fraction"], 0.1);
    EXPECT_EQ(training["flow_exponent"], isStaged() ? 0 : -1) << "in the last stage";
    EXPECT_EQ(training["target_exponent"], isStaged() ? 1 : 2);
    EXPECT_EQ(training.contains("stage_steps"), isStaged());
    EXPECT_EQ(training.contains("trust_region"), string(GetParam().objective) == "mass-transport");
    EXPECT_EQ(training.contains("leapfrog_steps"), !isStaged());
    const char* phrase = !isStaged()                                        ? "bootstrap"
                         : string(GetParam().objective) == "mass-transport" ? "mass transport"
                                                                            : "annealed importance";
    EXPECT_NE(training["objective"].get<string>().find(phrase), string::npos);
}

TEST_P(BufferedTraining, ResumesExactly) {
    const TemporaryFile file;
    const string checkpoint = file;
    FlowTrainerOptions options = makeOptions();
    options.bufferSize = 600;
    options.stageSteps = 40;
    options.checkpointInterval = 0;
    options.validationInterval = 10;
    options.targetSamples = 100;
    options.pretrainingFraction = 0.25;
    // Samples are kept in single precision, whatever that of training.
    options.precision = options.pathGradientShare > 0 ? "double" : "single";
    FlowTrainer trainer(makeUntrained(), options);
    trainer.setTarget(*makeTarget(), temperature);
    const Flow whole = trainer.trainOnEnergy();
    long long evaluations = 0;
    // In pretraining, before the first and the second stage, and in the middle of one.
    for (long long stop : {10, 30, 50, 70, 121}) {
        const Flow flow = trainer.trainOnEnergy(checkpoint, [&](const FlowTrainerProgress& progress) {
            evaluations = progress.energyEvaluations;
            return progress.step < stop;
        });
        if (stop == 121)
            EXPECT_EQ(flow.getHash(), whole.getHash());
        else
            EXPECT_NE(flow.getHash(), whole.getHash());
    }
    EXPECT_EQ(nlohmann::json::parse(whole.getMetadata().at("training"))["energy_evaluations"], evaluations);
    options.bufferSize++;
    FlowTrainer other(makeUntrained(), options);
    other.setTarget(*makeTarget(), temperature);
    expectError([&] { other.trainOnEnergy(checkpoint); }, "another buffer_size (600, now 601)");
    TensorFile damaged = TensorFile::load(checkpoint);
    damaged.setReals("buffer_log_q", {3}, {0, 0, 0});
    damaged.save(checkpoint);
    expectError([&] { trainer.trainOnEnergy(checkpoint); }, checkpoint);
}

TEST(BufferedTrainingOptions, BadOptionsAreExplained) {
    auto expect = [](const function<void(FlowTrainerOptions&)>& change, const char* words) {
        FlowTrainerOptions options = makeEnergyOptions();
        change(options);
        expectError([&] { FlowTrainer(makeUntrained(), options); }, words);
    };
    expect([](FlowTrainerOptions& options) { options.objective = "energy"; },
           "\"mass-transport\" or \"bootstrap\"");
    expect([](FlowTrainerOptions& options) { options.pathGradientShare = 1.1; }, "share of path gradients");
    expect([](FlowTrainerOptions& options) { options.pretrainingFraction = -0.1; },
           "fraction of pretraining");
    expect([](FlowTrainerOptions& options) { options.bufferSize = 0; }, "size of the buffer");
    expect([](FlowTrainerOptions& options) { options.stageSteps = 0; }, "steps in a stage");
    expect([](FlowTrainerOptions& options) { options.bootstrapInterval = 0; }, "additions to the buffer");
    expect([](FlowTrainerOptions& options) { options.trustRegion = 0; }, "trust region");
    expect([](FlowTrainerOptions& options) { options.entropyDecay = NAN; }, "decay of entropy");
    expect([](FlowTrainerOptions& options) { options.annealingDensities = 0; }, "annealing densities");
    expect([](FlowTrainerOptions& options) { options.leapfrogSteps = 0; }, "leapfrog steps");
    expect([](FlowTrainerOptions& options) { options.initialStepSize = 0; }, "initial step size");
    expect([](FlowTrainerOptions& options) { options.targetAcceptance = 1; }, "acceptance");
    expect(
        [](FlowTrainerOptions& options) {
            options.objective = "bootstrap";
            options.bufferSize = options.batchSize - 1;
        },
        "as large as a batch");
    expect(
        [](FlowTrainerOptions& options) {
            options.objective = "bootstrap";
            options.pathGradients = true;
        },
        "have no path gradients");
}
