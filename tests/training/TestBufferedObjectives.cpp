// What one step of the objectives that keep samples asks of a flow.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "EnergyObjective.h"
#include "EnergyRuns.h"
#include "ExpectError.h"
#include "PrioritizedDraw.h"
#include "SelectRows.h"
#include "TrainingState.h"
#include "openmmflow/internal/TensorFile.h"

using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace std;
using at::Tensor;

namespace {

class BufferedObjectiveTest : public testing::Test {
protected:
    const ProcessGroup alone;
    BufferedObjectiveTest() {
        options.bufferSize = 256;
        options.pretrainingFraction = 0;
        options.annealingFraction = 0;
        options.precision = "double";
        trainable = TrainableFlow::create(makeUntrained(), options);
        target = make_unique<Target>(*makeTarget(), temperature, makeUntrained(), options);
    }
    unique_ptr<EnergyObjective> create() const {
        return EnergyObjective::create(*trainable, options, *target, alone);
    }
    TrainingState begin() const {
        TrainingState state = TrainingState::begin(trainable->getParameters(), 0);
        state.buffer.numCoordinates = trainable->getNumCoordinates();
        return state;
    }
    /** Of the first step. */
    Tensor computeGradient(const char* objective, double share) {
        options.objective = objective;
        options.pathGradientShare = share;
        state = begin();
        create()->computeGradient(state);
        return state.parameters.grad().clone();
    }
    FlowTrainerOptions options = makeEnergyOptions();
    unique_ptr<TrainableFlow> trainable;
    unique_ptr<Target> target;
    TrainingState state;
};

double getNorm(const Tensor& x) {
    return x.norm().item<double>();
}

}  // namespace

TEST_F(BufferedObjectiveTest, PathGradientsAreMixedIn) {
    const Tensor fresh = computeGradient("path-gradient", 0);
    for (const char* name : {"annealed-importance", "bootstrap"}) {
        const Tensor kept = computeGradient(name, 0), mixed = computeGradient(name, 0.3);
        EXPECT_GT(getNorm(kept - fresh), 0.1 * getNorm(fresh));
        EXPECT_LT(getNorm(mixed - 0.7 * kept - 0.3 * fresh), 1e-6 * getNorm(fresh)) << name;
    }
}

/** Where the flow is q, the gradient of log q - log (q^(1-b) p^b) is b times that of log q - log p. */
TEST_F(BufferedObjectiveTest, PathGradientsAreForTheIntermediateTarget) {
    options.massCovering = 0;
    options.massBalancing = 0;
    options.forceClipFactor = 0;
    options.entropyDecay = 0;
    options.trustRegion = 0.1;
    const Tensor fresh = computeGradient("path-gradient", 0), mixed = computeGradient("mass-transport", 1);
    const IntermediateTarget& intermediate = state.buffer.target;
    EXPECT_NEAR(intermediate.flowExponent + intermediate.targetExponent, 1, 1e-9);
    EXPECT_LT(intermediate.targetExponent, 0.9);
    EXPECT_LT(getNorm(mixed - intermediate.targetExponent * fresh), 1e-3 * getNorm(fresh));
}

/** Both are estimates of the gradient of the forward divergence. */
TEST_F(BufferedObjectiveTest, PathGradientsOfTheBufferAreThoseOfTheLikelihood) {
    options.bufferSize = options.batchSize = 20000;
    options.forceClipFactor = 0;
    options.trustRegion = 0.1;
    for (double entropyDecay : {0.0, 0.02}) {
        options.entropyDecay = entropyDecay;
        options.pathGradients = false;
        const Tensor likelihood = computeGradient("mass-transport", 0);
        EXPECT_GT(state.buffer.target.flowExponent, 0.1);
        options.pathGradients = true;
        EXPECT_LT(getNorm(computeGradient("mass-transport", 0) - likelihood), 0.2 * getNorm(likelihood));
    }
}

TEST_F(BufferedObjectiveTest, WeightsOfTheBufferFollowTheFlow) {
    options.objective = "bootstrap";
    const auto objective = create();
    state = begin();
    objective->computeGradient(state);
    {
        c10::NoGradGuard noGradient;
        state.parameters += 0.02 * at::sin(at::arange(state.parameters.numel(), at::kDouble));
    }
    const SampleBuffer before = state.buffer;
    state.step++;
    objective->computeGradient(state);
    const Tensor gradient = state.parameters.grad().clone();
    const SampleBuffer& after = state.buffer;
    vector<int64_t> changed;
    for (int64_t k = 0; k < after.size(); k++) {
        if (after.logQ[k] == before.logQ[k])
            continue;
        changed.push_back(k);
        // p^2/q with another q.
        EXPECT_NEAR(after.logWeights[k] + after.logQ[k], before.logWeights[k] + before.logQ[k], 1e-9);
    }
    ASSERT_GT(changed.size(), 3u);
    const vector<double> logQ =
        trainable->evaluatePaths(state.parameters, selectRows(after.coordinates, changed, after.size())).logQ;
    double largest = 0;
    for (size_t i = 0; i < changed.size(); i++) {
        EXPECT_NEAR(logQ[i], after.logQ[changed[i]], 1e-9);
        largest = max(largest, fabs(logQ[i] - before.logQ[changed[i]]));
    }
    EXPECT_GT(largest, 0.1);
    // The samples are those of the older flow, whose weights are corrected up to a limit.
    const vector<int64_t> batch =
        drawPrioritized(before.logWeights, options.batchSize, options.seed, (uint64_t)state.step);
    vector<double> corrections;
    vector<int64_t> all;
    for (int64_t k : batch) {
        all.push_back((int64_t)all.size());
        corrections.push_back(min(10.0, exp(before.logQ[k] - after.logQ[k])));
    }
    const Frames frames{at::tensor(selectRows(after.coordinates, batch, after.size()), at::kDouble)
                            .view({(int64_t)batch.size(), -1}),
                        at::tensor(corrections, at::kDouble)};
    Tensor parameters = state.parameters.clone();
    trainable->computeGradient(parameters, frames, all, 0);
    EXPECT_LT(getNorm(parameters.grad() - gradient), 1e-6 * getNorm(gradient));
    EXPECT_GT(*max_element(corrections.begin(), corrections.end()), 1.1);
}

/** So that training is not taken to have gone wrong. */
TEST_F(BufferedObjectiveTest, ValuesAreThoseOfTheLikelihood) {
    options.pretrainingFraction = 0.1;
    for (const char* name : {"annealed-importance", "mass-transport", "bootstrap"}) {
        options.objective = name;
        state = begin();
        state.step = 12;
        state.usualObjective = -1000;
        const auto objective = create();
        const double value = objective->computeGradient(state);
        EXPECT_TRUE(isnan(state.usualObjective));
        // Between the lowest and the highest, whatever the weights.
        const auto [lowest, highest] = minmax_element(state.buffer.logQ.begin(), state.buffer.logQ.end());
        EXPECT_GT(value, -*highest);
        EXPECT_LT(value, -*lowest);
        state.step++;
        state.usualObjective = value;
        objective->computeGradient(state);
        EXPECT_EQ(state.usualObjective, value);
    }
}

TEST_F(BufferedObjectiveTest, TemperaturesFallFromStageToStage) {
    options.maxSamples = options.batchSize * 1000;
    options.objective = "annealed-importance";
    options.pretrainingFraction = 0.1;
    options.annealingFraction = 0.7;
    options.stageSteps = 150;
    const auto objective = create();
    // Pretraining, and four stages until step 700.
    for (auto [step, progress] :
         {pair{0, 0.0}, {99, 0.0}, {100, 0.25}, {249, 0.25}, {250, 0.5}, {400, 0.75}, {550, 1.0}, {999, 1.0}})
        EXPECT_NEAR(objective->getTemperature(step), 300 * pow(2, 1 - progress), 1e-9) << step;
}

TEST_F(BufferedObjectiveTest, DamagedBuffersAreRefused) {
    for (const char* objective : {"annealed-importance", "bootstrap"}) {
        options.objective = objective;
        state = begin();
        create()->computeGradient(state);
        state.step++;
        TensorFile file;
        state.buffer.save(file);
        TrainingState read = begin();
        read.step = state.step;
        read.buffer.load(file, state.parameters, state.step);
        EXPECT_NO_THROW(create()->computeGradient(read));
        // What the other objective would keep.
        read.buffer.load(file, state.parameters, state.step);
        swap(read.buffer.energies, read.buffer.logWeights);
        expectError([&] { create()->computeGradient(read); }, "delete it to start anew");
        file.setReals("buffer_log_q", {state.buffer.size(), 2}, vector<double>(2 * state.buffer.size()));
        expectError([&] { read.buffer.load(file, state.parameters, state.step); }, "instead of (0, 6)");
    }
}

TEST_F(BufferedObjectiveTest, SamplesOfABrokenFlowAreForgotten) {
    options.objective = "annealed-importance";
    state = begin();
    create()->computeGradient(state);
    const int64_t drawn = state.buffer.drawn;
    state.step++;
    state.buffer.clear();
    create()->computeGradient(state);
    EXPECT_EQ(state.buffer.firstStep, 1);
    EXPECT_EQ(state.buffer.drawn, 2 * drawn);
}
