// Training from the energy alone, on a target whose density is known: that of another flow, as a Force.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "EnergyRuns.h"
#include "ExpectError.h"
#include "LikelihoodObjective.h"
#include "RandomCouplingFlow.h"
#include "TrainingRuns.h"
#include "TrainingState.h"
#include "openmm/System.h"
#include "openmm/reference/SimTKOpenMMRealType.h"
#include "openmmflow/BoltzmannGeneratorForce.h"
#include "openmmflow/FlowSampler.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace std;

/** With this optimiser. */
class EnergyTraining : public testing::TestWithParam<const char*> {
protected:
    FlowTrainerOptions makeEnergyOptions() const {
        FlowTrainerOptions options = tests::makeEnergyOptions();
        options.optimizer = GetParam();
        return options;
    }
};

INSTANTIATE_TEST_SUITE_P(Optimizers, EnergyTraining, testing::Values("adam", "soap"));

TEST_P(EnergyTraining, FindsTheTarget) {
    FlowTrainerOptions options = makeEnergyOptions();
    options.maxSamples = 64 * 700;
    FlowTrainer trainer(makeUntrained(), options);
    trainer.setTarget(*makeTarget(), temperature);
    long long evaluations = 0;
    double lastTemperature = 0;
    const double before = sample(makeUntrained()).getEffectiveSampleFraction();
    const Flow trained = trainer.trainOnEnergy("", [&](const FlowTrainerProgress& progress) {
        evaluations = progress.energyEvaluations;
        lastTemperature = progress.temperature;
        return true;
    });
    const WeightedEnsemble ensemble = sample(trained);
    const double after = ensemble.getEffectiveSampleFraction();
    EXPECT_LT(before, 0.3);
    EXPECT_GT(after, 0.8);
    const auto logZ = ensemble.getLogPartitionFunction();
    EXPECT_NEAR(logZ.value, 0, 4 * logZ.error) << "the target is normalised";
    EXPECT_EQ(evaluations, 64 * 700 + (1 + 700 / options.validationInterval) * options.targetSamples);
    EXPECT_NEAR(lastTemperature, temperature, 1e-9);
    const string& description = trained.getMetadata().at("training");
    for (const char* word : {"path gradients", "\"energy_evaluations\":59300", "\"mass_covering\":0.5",
                             "\"initial_temperature\":600"})
        EXPECT_NE(description.find(word), string::npos) << word << " in " << description;
}

TEST_P(EnergyTraining, ResumesExactly) {
    const TemporaryFile file;
    const string checkpoint = file;
    FlowTrainerOptions options = makeEnergyOptions();
    options.checkpointInterval = 0;
    FlowTrainer trainer(makeUntrained(), options);
    trainer.setTarget(*makeTarget(), temperature);
    const Flow whole = trainer.trainOnEnergy();
    for (long long stop : {30, 75})
        trainer.trainOnEnergy(checkpoint,
                              [=](const FlowTrainerProgress& progress) { return progress.step < stop; });
    EXPECT_EQ(trainer.trainOnEnergy(checkpoint).getHash(), whole.getHash());
    trainer.setTarget(*makeTarget(), 310);
    expectError([&] { trainer.trainOnEnergy(checkpoint); }, "another temperature (300.0, now 310.0)");
}

TEST_P(EnergyTraining, FitsItsScheduleIntoATimeBudget) {
    FlowTrainerOptions options = makeEnergyOptions();
    // The first step takes longer, and is the last one then.
    options.timeBudget = 1e-9;
    const TemporaryFile file;
    const string checkpoint = file;
    FlowTrainer trainer(makeUntrained(), options);
    trainer.setTarget(*makeTarget(), temperature);
    double lastTemperature = 0;
    const Flow trained = trainer.trainOnEnergy(checkpoint, [&](const FlowTrainerProgress& progress) {
        lastTemperature = progress.temperature;
        return true;
    });
    EXPECT_NEAR(lastTemperature, temperature, 1e-9);
    const string& description = trained.getMetadata().at("training");
    for (const char* words : {"\"ended\":\"time budget\"", "\"steps\":1,", "\"energy_evaluations\":1064"})
        EXPECT_NE(description.find(words), string::npos) << words << " in " << description;
    EXPECT_NE(trained.getHash(), makeUntrained().getHash());
    EXPECT_EQ(trainer.trainOnEnergy(checkpoint).getHash(), trained.getHash()) << "training is complete";
}

TEST_P(EnergyTraining, ReturnsTheWeightsAtTheEnd) {
    FlowTrainerOptions options = makeEnergyOptions();
    // A time budget stops it between validations, without hurry.
    options.objective = "annealed-importance";
    options.pretrainingFraction = 0;
    options.bufferSize = 256;
    options.validationInterval = 1000;
    options.checkpointInterval = 0;
    const TemporaryFile file;
    const string checkpoint = file;
    FlowTrainer trainer(makeUntrained(), options);
    trainer.setTarget(*makeTarget(), temperature);
    const Flow whole = trainer.trainOnEnergy();
    long long evaluations = 0, step = 0;
    options.timeBudget = 1e-9;
    FlowTrainer stopped(makeUntrained(), options);
    stopped.setTarget(*makeTarget(), temperature);
    const Flow part = stopped.trainOnEnergy(checkpoint);
    EXPECT_NE(part.getHash(), makeUntrained().getHash());
    EXPECT_NE(part.getMetadata().at("training").find("\"energy_evaluations\":1256"), string::npos);
    expectError([&] { stopped.trainOnEnergy(checkpoint); }, "all of the time budget");
    const Flow resumed = trainer.trainOnEnergy(checkpoint, [&](const FlowTrainerProgress& progress) {
        evaluations = progress.energyEvaluations;
        step = progress.step;
        return true;
    });
    EXPECT_EQ(resumed.getHash(), whole.getHash());
    // Validations at the beginning and at the end.
    EXPECT_EQ(step, 120);
    EXPECT_EQ(evaluations, 256 + 2 * 500);
}

TEST_P(EnergyTraining, RecoversFromALearningRateThatIsTooHigh) {
    FlowTrainerOptions options = makeEnergyOptions();
    // About a hundred times what is good for each.
    options.learningRate = options.optimizer == "soap" ? 0.1 : 0.3;
    options.maxSamples = 64 * 600;
    FlowTrainer trainer(makeUntrained(), options);
    trainer.setTarget(*makeTarget(), temperature);
    long long relapses = 0;
    const Flow trained = trainer.trainOnEnergy("", [&](const FlowTrainerProgress& progress) {
        relapses = progress.relapses;
        return true;
    });
    EXPECT_GT(relapses, 0);
    EXPECT_GT(sample(trained).getEffectiveSampleFraction(), 0.3);
}

TEST_P(EnergyTraining, EndsWhenItIsGoodEnough) {
    FlowTrainerOptions options = makeEnergyOptions();
    options.targetEffectiveSampleFraction = 0.01;
    FlowTrainer trainer(makeUntrained(), options);
    trainer.setTarget(*makeTarget(), temperature);
    const Flow trained = trainer.trainOnEnergy();
    const string& description = trained.getMetadata().at("training");
    // The first validation after the annealing, which takes half of 120 steps.
    for (const char* word : {"\"steps\":75,", "\"ended\":\"effective sample size reached\""})
        EXPECT_NE(description.find(word), string::npos) << word << " in " << description;
}

/** Both are estimates of the gradient of the forward divergence. */
TEST(PathGradients, OfDataAreThoseOfTheLikelihoodWithLessNoise) {
    FlowTrainerOptions options = makeEnergyOptions();
    options.batchSize = 10000;
    options.precision = "double";
    options.forceClipFactor = 0;
    options.massBalancing = 0;
    const vector<double> frames = draw(getTruth(), 14000, 8).positions;
    auto compute = [&](const Flow& flow, bool pathGradients) {
        options.pathGradients = pathGradients;
        const auto trainable = TrainableFlow::create(flow, options);
        TrainingData data = prepareTrainingData(*trainable, frames, {}, {}, {0.1, 100, 0});
        const Target target(*makeTarget(), temperature, flow, options);
        const ProcessGroup alone;
        LikelihoodObjective objective(*trainable, options, data, &target, alone);
        TrainingState state = TrainingState::begin(trainable->getParameters(), 0);
        const double nll = objective.computeGradient(state);
        return make_pair(nll, state.parameters.grad().clone());
    };
    auto norm = [](const at::Tensor& x) { return x.norm().item<double>(); };
    const auto [nll, likelihood] = compute(makeUntrained(), false);
    const auto [pathNLL, path] = compute(makeUntrained(), true);
    // The average of the Jacobian is that of all frames in one, of the batch in the other.
    EXPECT_NEAR(nll, pathNLL, 0.02);
    EXPECT_LT(norm(likelihood - path), 0.1 * norm(likelihood));
    // Where the flow is the target there is nothing but noise, of which path gradients have none.
    EXPECT_LT(norm(compute(getTruth(), true).second), 1e-2 * norm(compute(getTruth(), false).second));
    options.massBalancing = 0.25;
    const at::Tensor both = compute(makeUntrained(), true).second;
    EXPECT_LT(norm(both - path - 0.25 * likelihood), 1e-6 * norm(likelihood));
}

TEST(PathGradients, TrainOnData) {
    FlowTrainerOptions options = makeEnergyOptions();
    options.pathGradients = true;
    options.maxSamples = 64 * 1500;
    FlowTrainer trainer(makeUntrained(), options);
    const vector<double> frames = draw(getTruth(), 1000, 8).positions;
    expectError([&] { trainer.train(frames); }, "call setTarget() first");
    trainer.setTarget(*makeTarget(), temperature);
    const Flow trained = trainer.train(frames);
    EXPECT_GT(sample(trained).getEffectiveSampleFraction(), 0.5);
    EXPECT_NE(trained.getMetadata().at("training").find("\"path_gradients\":true"), string::npos);
}

TEST(PathGradients, OfDataGoBackWithALowerLearningRate) {
    FlowTrainerOptions options = makeEnergyOptions();
    options.pathGradients = true;
    options.maxSamples = 64 * 300;
    options.validationInterval = 20;
    options.checkpointInterval = 0;
    options.learningRate = 1;
    FlowTrainer trainer(makeUntrained(), options);
    trainer.setTarget(*makeTarget(), temperature);
    const vector<double> frames = draw(getTruth(), 1000, 8).positions;
    long long relapses = 0, firstRelapse = 0;
    const Flow trained = trainer.train(frames, {}, {}, "", [&](const FlowTrainerProgress& progress) {
        relapses = progress.relapses;
        if (relapses > 0 && firstRelapse == 0)
            firstRelapse = progress.step;
        return true;
    });
    ASSERT_GT(relapses, 0);
    EXPECT_GT(sample(trained).getEffectiveSampleFraction(), 0.3);
    // A run that is stopped before and after ends with the same weights.
    const TemporaryFile file;
    const string checkpoint = file;
    for (long long stop : {firstRelapse - 20, firstRelapse, firstRelapse + 20})
        trainer.train(frames, {}, {}, checkpoint,
                      [=](const FlowTrainerProgress& progress) { return progress.step < stop; });
    EXPECT_EQ(trainer.train(frames, {}, {}, checkpoint).getHash(), trained.getHash());
}

TEST_P(EnergyTraining, ErrorsAreExplained) {
    FlowTrainerOptions options = makeEnergyOptions();
    FlowTrainer trainer(makeUntrained(), options);
    expectError([&] { trainer.trainOnEnergy(); }, "call setTarget() first");
    options.massCovering = 1.1;
    expectError([&] { FlowTrainer(makeUntrained(), options); }, "must lie in [0, 1]");
    options.massCovering = 1;
    options.forceClipFactor = 0.5;
    expectError([&] { FlowTrainer(makeUntrained(), options); }, "clips forces");
    FlowTrainer other(makeRandomCouplingFlow(getEquivariantVariants()[1], 1), makeEnergyOptions());
    System particles;
    for (int i = 0; i < other.getNumParticles(); i++)
        particles.addParticle(1);
    other.setTarget(particles, temperature);
    expectError([&] { other.trainOnEnergy(); }, "on data without path gradients only");
}
