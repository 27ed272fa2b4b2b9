// The steps of the optimiser, against Adam, clipping, averaging and the schedule written out in full.

#include <gtest/gtest.h>

#include <ATen/ATen.h>
#include <cmath>

#include "BatchOrder.h"
#include "ExpectError.h"
#include "InternalFlowModule.h"
#include "Optimizer.h"
#include "TrainableInternalFlow.h"
#include "TrainingData.h"
#include "TrainingRuns.h"
#include "openmmflow/FlowContext.h"
#include "openmmflow/FlowTrainer.h"
#include "openmmflow/internal/TensorFile.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace std;
using at::Tensor;

namespace {

/** Frames of a random flow, and a weight for each. */
struct Data {
    vector<double> positions, weights;
};

const Flow& getSource() {
    static const Flow source = makeRandomFlow(N, InternalFlowModel::Activation::SiLU, 3);
    return source;
}

Data drawWeighted(int64_t count) {
    const Sample sample = draw(getSource(), count, 1);
    Data data{sample.positions, {}};
    for (size_t i = 0; i < sample.logQ.size(); i++)
        data.weights.push_back(0.5 + (double)(i % 3));
    return data;
}

/** Another flow with the same coordinates. */
Flow makeStart() {
    const auto& model = dynamic_cast<const InternalFlowModel&>(getSource().getModel());
    InternalFlowModel::Configuration configuration;
    configuration.couplings = 3;
    configuration.hidden = 8;
    configuration.blocks = 1;
    return Flow(make_shared<InternalFlowModel>(model.getCoordinates(), configuration, 7));
}

FlowTrainerOptions makeOptions() {
    FlowTrainerOptions options;
    options.batchSize = 32;
    options.maxSamples = 32 * 12;
    options.learningRate = 0.01;
    options.warmupSteps = 4;
    options.initialLearningRate = 0.002;
    options.finalLearningRate = 0.001;
    // Some gradients are larger, some are not; the test checks that.
    options.maxGradientNorm = 5;
    options.averagingDecay = 0.3;
    options.precision = "double";
    options.threads = 1;
    options.seed = 5;
    return options;
}

/** Weights and moments after the last step, from the checkpoint that it leaves. */
struct OptimizerState {
    vector<double> parameters, average, firstMoment, secondMoment;
};

OptimizerState train(const Data& data, const FlowTrainerOptions& options) {
    const TemporaryFile checkpoint;
    FlowTrainer(makeStart(), options).train(data.positions, data.weights, {}, checkpoint);
    const TensorFile file = TensorFile::load(checkpoint);
    auto read = [&](const char* name) { return file.getReals(name, file.getShape(name)); };
    return {read("parameters"), read("average"), read("first_moment"), read("second_moment")};
}

/** The gradient of the average of -w log q over a batch. */
vector<double> computeGradient(const InternalFlowModule& module, const TrainingData::Part& part,
                               const vector<double>& parameters, const vector<int64_t>& batch) {
    const int64_t D = (int64_t)part.coordinates.size() / part.numFrames;
    Tensor x = at::empty({D, (int64_t)batch.size()}, at::kDouble);
    Tensor w = at::empty({(int64_t)batch.size()}, at::kDouble);
    for (size_t i = 0; i < batch.size(); i++) {
        w[i] = part.weights[batch[i]];
        for (int64_t j = 0; j < D; j++)
            x[j][i] = part.coordinates[D * batch[i] + j];
    }
    Tensor theta = at::tensor(parameters, at::kDouble).set_requires_grad(true);
    (-(module.logDensity(theta, x) * w).mean()).backward();
    const double* values = theta.grad().data_ptr<double>();
    return vector<double>(values, values + theta.numel());
}

double getLargestDifference(const vector<double>& a, const vector<double>& b) {
    EXPECT_EQ(a.size(), b.size());
    double result = 0;
    for (size_t i = 0; i < a.size(); i++)
        result = max(result, abs(a[i] - b[i]));
    return result;
}

}  // namespace

TEST(Optimizer, IsAdamWithClippingAveragingAndASchedule) {
    const Data data = drawWeighted(300);
    const FlowTrainerOptions options = makeOptions();
    const OptimizerState found = train(data, options);

    const Flow start = makeStart();
    const auto model =
        make_shared<InternalFlowModel>(dynamic_cast<const InternalFlowModel&>(start.getModel()));
    const InternalFlowModule module(model, at::kDouble);
    const TrainingData prepared =
        prepareTrainingData(TrainableInternalFlow(start, options), data.positions, data.weights, {},
                            {options.validationFraction, options.maxValidationFrames, options.seed});
    BatchOrder order(prepared.training.numFrames, options.batchSize, options.seed);
    const Tensor initial = module.getParameters();
    const size_t size = initial.numel();
    OptimizerState state;
    state.parameters.assign(initial.data_ptr<double>(), initial.data_ptr<double>() + size);
    state.average = state.parameters;
    state.firstMoment.resize(size);
    state.secondMoment.resize(size);
    const int steps = 12;
    int clipped = 0;
    for (int step = 0; step < steps; step++) {
        vector<double> gradient =
            computeGradient(module, prepared.training, state.parameters, order.getBatch(step));
        double norm = 0;
        for (double g : gradient)
            norm += g * g;
        norm = sqrt(norm);
        if (norm > options.maxGradientNorm) {
            clipped++;
            for (double& g : gradient)
                g *= options.maxGradientNorm / norm;
        }
        // Half a cosine that ends with the last step, times a linear rise over warmupSteps.
        double rate = 0.001 + (0.01 - 0.001) * 0.5 * (1 + cos(M_PI * step / steps));
        if (step < options.warmupSteps)
            rate *= 0.2 + 0.8 * (step + 1.0) / (options.warmupSteps + 1.0);
        const double decay = min(options.averagingDecay, (1.0 + step) / (10.0 + step));
        for (size_t i = 0; i < size; i++) {
            double &m = state.firstMoment[i], &v = state.secondMoment[i];
            m = 0.9 * m + 0.1 * gradient[i];
            v = 0.999 * v + 0.001 * gradient[i] * gradient[i];
            const double mHat = m / (1 - pow(0.9, step + 1)), vHat = v / (1 - pow(0.999, step + 1));
            state.parameters[i] -= rate * mHat / (sqrt(vHat) + 1e-8);
            state.average[i] = decay * state.average[i] + (1 - decay) * state.parameters[i];
        }
    }
    EXPECT_GT(clipped, 1);
    EXPECT_LT(clipped, steps - 1);
    // The module has its parameters in another order than the model.
    for (vector<double>* values :
         {&state.firstMoment, &state.secondMoment, &state.parameters, &state.average})
        *values =
            dynamic_cast<const InternalFlowModel&>(*module.createModel(at::tensor(*values, at::kDouble)))
                .getParameters();
    EXPECT_LT(getLargestDifference(state.firstMoment, found.firstMoment), 1e-7);
    EXPECT_LT(getLargestDifference(state.secondMoment, found.secondMoment), 1e-7);
    // Adam divides by the gradient, so that where this is almost zero round-off shows.
    EXPECT_LT(getLargestDifference(state.parameters, found.parameters), 1e-6);
    EXPECT_LT(getLargestDifference(state.average, found.average), 1e-6);

    // Each part makes a difference that is well above these tolerances.
    auto differs = [&](auto change) {
        FlowTrainerOptions changed = options;
        change(changed);
        return getLargestDifference(train(data, changed).average, found.average) > 1e-4;
    };
    EXPECT_TRUE(differs([](auto& changed) { changed.averagingDecay = 0; }));
    EXPECT_TRUE(differs([](auto& changed) { changed.maxGradientNorm = 1e6; }));
    EXPECT_TRUE(differs([](auto& changed) { changed.warmupSteps = 0; }));
    EXPECT_TRUE(differs([](auto& changed) { changed.initialLearningRate = 0; }));
    EXPECT_TRUE(differs([](auto& changed) { changed.finalLearningRate = 0; }));
}

TEST(Optimizer, TheScheduleIsAheadWhereTimeIsShort) {
    const Optimizer optimizer(makeOptions(), {}, 100);
    TrainingState state = optimizer.begin(at::zeros({3}, at::kDouble));
    state.optimizerSteps = state.step = 10;
    state.lead = 40;
    EXPECT_NEAR(optimizer.getLearningRate(state), (0.01 + 0.001) / 2, 1e-15);
    state.lead = 90;
    EXPECT_NEAR(optimizer.getLearningRate(state), 0.001, 1e-15);
}

TEST(Optimizer, GoesBackWherePathGradientsDriftAway) {
    const Optimizer optimizer(makeOptions(), {}, 100);
    TrainingState state = optimizer.begin(at::zeros({3}, at::kDouble));
    auto validate = [&](double value, double objective) {
        state.parameters.fill_(value);
        state.average.fill_(value);
        state.recordValidation(objective, true);
        optimizer.limitDrift(state);
        return state.parameters[0].item<double>();
    };
    EXPECT_EQ(validate(1, -10), 1);
    EXPECT_EQ(validate(2, -9.5), 2) << "noise";
    EXPECT_EQ(validate(3, -10.5), 3);
    EXPECT_EQ(state.relapses, 0);
    state.optimizerSteps = state.step = 10;
    const double rate = optimizer.getLearningRate(state);
    EXPECT_EQ(validate(5, -9.4), 3);
    EXPECT_EQ(state.average[2].item<double>(), 3);
    EXPECT_EQ(validate(6, NAN), 3);
    EXPECT_EQ(state.relapses, 2);
    EXPECT_EQ(state.validationsSinceBest, 0);
    EXPECT_EQ(state.optimizerSteps, 0);
    state.optimizerSteps = 10;
    EXPECT_NEAR(optimizer.getLearningRate(state), rate / 4, 1e-15);
    for (int i = 0; i < 8; i++)
        validate(7, 0);
    expectError([&] { validate(7, 0); }, "went wrong 11 times");
}

TEST(Optimizer, ReportsTheLikelihoodOfTheHeldOutFrames) {
    const Data data = drawWeighted(400);
    const size_t frames = data.weights.size();
    vector<int64_t> blocks;
    for (size_t i = 0; i < frames; i++)
        blocks.push_back((int64_t)i / 20);
    FlowTrainerOptions options = makeOptions();
    FlowTrainerProgress last;
    const Flow flow = FlowTrainer(makeStart(), options)
                          .train(data.positions, data.weights, blocks, "",
                                 [&](const FlowTrainerProgress& progress) {
                                     last = progress;
                                     return true;
                                 },
                                 {2, 11, 12});
    FlowContext context(flow, Platform::getPlatformByName("Reference"));
    const vector<double> logQ = context.computeLogDensity(data.positions);
    double sum = 0, weight = 0;
    for (size_t i = 0; i < frames; i++)
        if (blocks[i] == 2 || blocks[i] == 11 || blocks[i] == 12) {
            sum += data.weights[i] * logQ[i];
            weight += data.weights[i];
        }
    EXPECT_NEAR(-sum / weight, last.bestValidationNLL, 1e-6);
}
