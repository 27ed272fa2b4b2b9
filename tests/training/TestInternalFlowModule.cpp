// The flow as Torch operations: the same density as the Reference platform, and correct derivatives.

#include <gtest/gtest.h>

#include <ATen/ATen.h>

#include "InternalFlowModule.h"
#include "RandomFlow.h"
#include "TrainableInternalFlow.h"
#include "TrainingData.h"
#include "openmmflow/FlowContext.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace std;
using at::Tensor;
using Activation = InternalFlowModel::Activation;

namespace {

shared_ptr<const InternalFlowModel> getModel(const Flow& flow) {
    return make_shared<InternalFlowModel>(dynamic_cast<const InternalFlowModel&>(flow.getModel()));
}

Tensor drawCoordinates(const InternalFlowModel& model, int64_t count) {
    at::manual_seed(5);
    const auto& circular = model.getCoordinates().circular;
    Tensor z = at::empty({(int64_t)circular.size(), count}, at::kDouble);
    for (size_t j = 0; j < circular.size(); j++)
        z[j].copy_(circular[j] ? (at::rand({count}, at::kDouble) * 2 - 1) * M_PI
                               : at::randn({count}, at::kDouble) * 3);
    return z;
}

}  // namespace

TEST(InternalFlowModule, EqualsReferencePlatform) {
    for (int numParticles : {3, 4, 9}) {
        Flow flow = makeRandomFlow(numParticles, numParticles == 4 ? Activation::ReLU : Activation::SiLU, 11);
        FlowContext context(flow, Platform::getPlatformByName("Reference"));
        const int64_t count = 101;
        vector<double> positions, sampled;
        context.sample(count, positions, sampled, 3);
        // Frames outside of the support have no coordinates.
        vector<double> inside;
        for (int64_t i = 0; i < count; i++)
            if (isfinite(sampled[i]))
                inside.insert(inside.end(), &positions[3 * numParticles * i],
                              &positions[3 * numParticles * (i + 1)]);
        const vector<double> expected = context.computeLogDensity(inside);
        auto model = getModel(flow);
        InternalFlowModule module(model, at::kDouble);
        TrainingData data =
            prepareTrainingData(TrainableInternalFlow(flow, {}), inside, {}, {}, {0.2, 1000, 0});
        double sum = 0, expectedSum = 0;
        for (const auto* part : {&data.training, &data.validation}) {
            Tensor z = at::tensor(part->coordinates).view({part->numFrames, -1}).t().contiguous();
            sum += module.logDensity(module.getParameters(), z).sum().item<double>()
                   + part->numFrames * part->logJacobian;
        }
        for (double logQ : expected)
            expectedSum += logQ;
        EXPECT_NEAR(expectedSum, sum, 1e-9 * expected.size());
    }
}

TEST(InternalFlowModule, EachFrameEqualsReferencePlatform) {
    Flow flow = makeRandomFlow(7, Activation::SiLU, 12);
    FlowContext context(flow, Platform::getPlatformByName("Reference"));
    vector<double> positions, logQ;
    context.sample(60, positions, logQ, 4);
    auto model = getModel(flow);
    InternalFlowModule module(model, at::kDouble);
    int checked = 0;
    for (size_t i = 0; i + 1 < logQ.size(); i += 2) {
        if (!isfinite(logQ[i]) || !isfinite(logQ[i + 1]))
            continue;
        // Two frames, of which either may be the one held out.
        vector<double> pair(&positions[21 * i], &positions[21 * (i + 2)]);
        const vector<double> expected = context.computeLogDensity(pair);
        TrainingData data =
            prepareTrainingData(TrainableInternalFlow(flow, {}), pair, {}, {0, 1}, {0.5, 1, 0});
        double found[2];
        int k = 0;
        for (const auto* part : {&data.training, &data.validation}) {
            ASSERT_EQ(1, part->numFrames);
            Tensor z = at::tensor(part->coordinates).view({1, -1}).t().contiguous();
            found[k++] = module.logDensity(module.getParameters(), z).item<double>() + part->logJacobian;
        }
        EXPECT_NEAR(min(expected[0], expected[1]), min(found[0], found[1]), 1e-9);
        EXPECT_NEAR(max(expected[0], expected[1]), max(found[0], found[1]), 1e-9);
        checked++;
    }
    EXPECT_GT(checked, 10);
}

TEST(InternalFlowModule, GradientEqualsFiniteDifferences) {
    Flow flow = makeRandomFlow(8, Activation::SiLU, 13);
    auto model = getModel(flow);
    InternalFlowModule module(model, at::kDouble);
    const Tensor z = drawCoordinates(*model, 33);
    Tensor parameters = module.getParameters().set_requires_grad(true);
    module.logDensity(parameters, z).mean().backward();
    const Tensor gradient = parameters.grad();
    for (int i = 0; i < 5; i++) {
        Tensor direction = at::randn_like(gradient);
        const double step = 1e-7;
        auto value = [&](double s) {
            return module.logDensity(parameters.detach() + s * direction, z).mean().item<double>();
        };
        const double expected = (value(step) - value(-step)) / (2 * step);
        EXPECT_NEAR(expected, (gradient * direction).sum().item<double>(), 1e-5 * max(1.0, fabs(expected)));
    }
}

TEST(InternalFlowModule, ModelOfParametersIsTheSameModel) {
    Flow flow = makeRandomFlow(6, Activation::SiLU, 14);
    InternalFlowModule module(getModel(flow), at::kDouble);
    EXPECT_EQ(flow.getHash(), Flow(module.createModel(module.getParameters())).getHash());
    Tensor changed = module.getParameters() * 1.5;
    InternalFlowModule other(module.createModel(changed), at::kDouble);
    const Tensor z = drawCoordinates(*getModel(flow), 10);
    EXPECT_TRUE(at::equal(module.logDensity(changed, z), other.logDensity(other.getParameters(), z)));
}
