// Training of augmented flows: what a step does, that flows learn, and that interrupted runs go on.

#include <gtest/gtest.h>

#include <ATen/ATen.h>
#include <cmath>
#include <random>

#include "EquivariantCouplingModule.h"
#include "ExpectError.h"
#include "MarginalDensity.h"
#include "RandomOrientation.h"
#include "TrainableAugmentedFlow.h"
#include "TrainingRuns.h"
#include "openmmflow/internal/AugmentedCouplingModel.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace std;
using at::Tensor;

namespace {

/** A small flow of four particles. */
Flow makeFlow(unsigned seed, int dimensions = 3) {
    EquivariantCouplingModel::Particles particles;
    particles.types = {0, 0, 0, 0};
    particles.dimensions = dimensions;
    particles.augmentedScale = 0.3;
    EquivariantCouplingModel::Base base;
    base.augmentedScale = 0.3;
    EquivariantCouplingModel::Configuration configuration;
    configuration.layers = 3;
    configuration.blocks = 1;
    configuration.hidden = configuration.headHidden = 16;
    configuration.features = 12;
    configuration.scaling = true;
    configuration.range = 5;
    return Flow(make_shared<EquivariantCouplingModel>(particles, base, configuration, seed));
}

/** Standard deviation of each coordinate, before the centre is removed. */
const double width = 0.4;

/** Four particles that are independent and Gaussian, anywhere in space. */
vector<double> makeGaussianFrames(int count, int dimensions = 3) {
    mt19937 generator(4);
    normal_distribution<double> normal;
    vector<double> positions;
    for (int i = 0; i < count; i++) {
        const double shift = 3 * normal(generator);
        for (int j = 0; j < 12; j++)
            positions.push_back(j % 3 < dimensions ? shift + width * normal(generator) : 0.1 * j);
    }
    return positions;
}

/** Of these frames in the zero-centre subspace: the least that any flow can have on average. */
double computeEntropy(int dimensions) {
    return 3 * dimensions * (0.5 * log(2 * M_PI * M_E) + log(width));
}

/** The baseline, for three particles. */
Flow makeBaseline() {
    AugmentedCouplingModel::Particles particles;
    particles.types = {0, 1, 2};
    particles.augmentedScale = 0.3;
    AugmentedCouplingModel::Base base;
    base.augmentedScale = 0.3;
    AugmentedCouplingModel::Configuration configuration;
    configuration.layers = 4;
    configuration.blocks = 1;
    configuration.attentionHeads = 2;
    configuration.keySize = 6;
    configuration.hidden = configuration.headHidden = 24;
    configuration.transform = AugmentedCouplingModel::Transform::Affine;
    return Flow(make_shared<AugmentedCouplingModel>(particles, base, configuration, 1));
}

FlowTrainerOptions makeOptions() {
    FlowTrainerOptions options;
    options.batchSize = 64;
    options.maxSamples = 64 * 300;
    options.learningRate = 5e-3;
    options.warmupSteps = 10;
    options.maxGradientNorm = 1e3;
    options.gradientClipFactor = 2;
    options.gradientSkipFactor = 10;
    options.averagingDecay = 0.98;
    options.validationInterval = 50;
    options.frameLossWeight = 0.1;
    options.threads = 2;
    return options;
}

}  // namespace

TEST(AugmentedTraining, TheGradientIsThatOfTheObjective) {
    const Flow flow = makeFlow(2);
    const auto& model = dynamic_cast<const EquivariantCouplingModel&>(flow.getModel());
    FlowTrainerOptions options = makeOptions();
    options.precision = "double";
    options.seed = 9;
    const TrainableAugmentedFlow trainable(flow, options);
    const int count = 40;
    const vector<double> frames = makeGaussianFrames(count);
    vector<double> coordinates;
    string violation;
    for (int i = 0; i < count; i++)
        EXPECT_EQ(0, trainable.measure(&frames[12 * i], coordinates, violation));
    const Frames data = {at::tensor(coordinates).view({count, 12}),
                         at::linspace(0.5, 1.5, count, at::kDouble)};

    at::manual_seed(3);
    Tensor parameters = trainable.getParameters();
    parameters += 0.2 * at::randn_like(parameters);
    const vector<int64_t> batch = {3, 17, 39, 0, 3};
    const double nll = trainable.computeGradient(parameters, data, batch, 30);

    const EquivariantCouplingModule module(make_shared<EquivariantCouplingModel>(model), at::kDouble);
    const Tensor theta = parameters.detach().clone().requires_grad_();
    Tensor joint = at::empty({5, 8, 3}, at::kDouble), logConditional = at::empty({5}, at::kDouble), frameLoss;
    for (int64_t i = 0; i < 5; i++) {
        // After thirty frames: draws that no other step has.
        drawConditional(model, &coordinates[12 * batch[i]], 9, (uint64_t(1) << 62) + 30 + i, 0,
                        joint[i].data_ptr<double>());
        logConditional[i] = model.computeLogConditional(joint[i].data_ptr<double>());
    }
    const Tensor weights = data.weights.index_select(0, at::tensor(batch));
    const Tensor logQ = module.logDensity(theta, joint, &frameLoss);
    const Tensor objective = (weights * (logConditional - logQ)).mean();
    (objective + 0.1 * frameLoss.mean()).backward();
    EXPECT_NEAR(objective.item<double>(), nll, 1e-10);
    const double size = theta.grad().norm().item<double>();
    EXPECT_GT(size, 0);
    EXPECT_LT((theta.grad() - parameters.grad()).norm().item<double>(), 1e-9 * size);
}

TEST(AugmentedTraining, FlowsLearn) {
    for (int dimensions : {2, 3}) {
        double first = NAN, best = NAN;
        long long skipped = 0;
        const Flow trained =
            FlowTrainer(makeFlow(1, dimensions), makeOptions())
                .train(makeGaussianFrames(4000, dimensions), {}, {}, "", [&](const FlowTrainerProgress& p) {
                    first = isnan(first) ? p.validationNLL : first;
                    best = p.bestValidationNLL;
                    skipped = p.skippedSteps;
                    return true;
                });
        const double entropy = computeEntropy(dimensions);
        // 400 frames are held out; their average strays by a few times sqrt(9/2/400).
        EXPECT_GT(best, entropy - 0.5);
        EXPECT_LT(best, entropy + 0.8);
        // The first report may be that of step 50.
        EXPECT_GT(first, best + 0.2);
        EXPECT_LT(skipped, 30);
        // The flow that is returned has the likelihood that was reported, on new frames.
        const vector<double> frames = makeGaussianFrames(6000, dimensions);
        FlowContext context(trained, Platform::getPlatformByName("CPU"));
        const vector<double> logQ =
            context.computeLogDensity(vector<double>(frames.begin() + 12 * 4000, frames.end()), 1, 77);
        double mean = 0, variance = 0;
        for (double value : logQ)
            mean -= value / (double)logQ.size();
        for (double value : logQ)
            variance += (value + mean) * (value + mean) / (double)logQ.size();
        EXPECT_NEAR(mean, best, 4 * sqrt(variance / 400 + variance / (double)logQ.size()));
    }
}

TEST(AugmentedTraining, FlowsWithoutRotationalInvarianceLearnAllOrientations) {
    // A rod along one axis, always: what is learnt must be the average over its orientations.
    mt19937 generator(5);
    normal_distribution<double> normal;
    vector<double> rods, turned;
    for (int i = 0; i < 4000; i++) {
        double rod[9];
        for (int j = 0; j < 9; j++)
            rod[j] = (j % 3 == 0 ? 1.2 * (j / 3 - 1) : 0) + 0.2 * normal(generator);
        rods.insert(rods.end(), rod, rod + 9);
        rotateAtRandom(rod, 3, 3, 8, i);
        turned.insert(turned.end(), rod, rod + 9);
    }
    FlowTrainerOptions options = makeOptions();
    options.maxSamples = 64 * 600;
    double first = NAN, best = NAN;
    const Flow flow = FlowTrainer(makeBaseline(), options)
                          .train(rods, {}, {}, "", [&](const FlowTrainerProgress& progress) {
                              first = isnan(first) ? progress.validationNLL : first;
                              best = progress.bestValidationNLL;
                              return true;
                          });
    EXPECT_GT(first, best + 0.2);
    FlowContext context(flow, Platform::getPlatformByName("CPU"));
    for (const vector<double>* frames : {&rods, &turned}) {
        double mean = 0;
        for (double logQ : context.computeLogDensity(*frames, 1, 5))
            mean -= logQ / 4000;
        // One orientation alone is learnt less evenly than all of them together.
        EXPECT_NEAR(mean, best, frames == &turned ? 0.3 : 1.5);
    }
}

TEST(AugmentedTraining, ResumesExactly) {
    const vector<double> frames = makeGaussianFrames(500);
    FlowTrainerOptions options = makeOptions();
    options.maxSamples = 64 * 60;
    options.validationInterval = 10;
    const Flow uninterrupted = FlowTrainer(makeFlow(1), options).train(frames);
    TemporaryFile checkpoint;
    for (long long stop : {20, 40})
        FlowTrainer(makeFlow(1), options)
            .train(frames, {}, {}, checkpoint,
                   [&](const FlowTrainerProgress& progress) { return progress.step < stop; });
    EXPECT_EQ(uninterrupted.getHash(),
              FlowTrainer(makeFlow(1), options).train(frames, {}, {}, checkpoint).getHash());
}

TEST(AugmentedTraining, FramesWithoutAGradientAreSkippedUntilTheyAreTooMany) {
    // Too far away for single precision.
    vector<double> frames = makeGaussianFrames(500);
    frames[12 * 7] = frames[12 * 8 + 5] = 1e25;
    FlowTrainerOptions options = makeOptions();
    options.batchSize = 16;
    options.maxSamples = 16 * 100;
    options.gradientSkipFactor = 0;
    long long skipped = 0;
    auto train = [&](long long maxSamples) {
        options.maxSamples = maxSamples;
        return FlowTrainer(makeFlow(1), options)
            .train(frames, {}, {}, "",
                   [&](const FlowTrainerProgress& progress) {
                       skipped = progress.skippedSteps;
                       return true;
                   },
                   {40});
    };
    const Flow trained = train(16 * 100);
    // Each of the two is used three or four times.
    EXPECT_GE(skipped, 4);
    EXPECT_LE(skipped, 8);
    EXPECT_TRUE(isfinite(FlowContext(trained).computeLogDensity(makeGaussianFrames(1))[0]));
    for (int i = 0; i < 400; i++)
        frames[12 * i] = 1e25;
    expectError([&] { train(16 * 1000); }, "100 steps");
}

TEST(AugmentedTraining, BadOptionsAreRefused) {
    auto refuses = [](auto change, const char* word) {
        FlowTrainerOptions options;
        change(options);
        expectError([&] { FlowTrainer(makeFlow(1), options); }, word);
    };
    refuses([](auto& options) { options.initialLearningRate = 1; }, "learning rate");
    refuses([](auto& options) { options.finalLearningRate = -1; }, "learning rate");
    refuses([](auto& options) { options.gradientClipFactor = 0.5; }, "factors");
    refuses([](auto& options) { options.gradientSkipFactor = NAN; }, "factors");
    refuses([](auto& options) { options.frameLossWeight = -1; }, "frame loss");
}
