// Training by Torch operations instead of the kernels of the CPU platform: the same gradients and the same
// flows, on devices that are there and, as far as shapes and places go, on those that are not.

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include <ATen/ATen.h>
#include <torch/library.h>

#include "AugmentedCouplingModule.h"
#include "EnergyRuns.h"
#include "EquivariantCouplingModule.h"
#include "ExpectError.h"
#include "FlowKernelFixture.h"
#include "InternalFlowModule.h"
#include "RandomCouplingFlow.h"
#include "TensorArrays.h"
#include "TrainingDevice.h"
#include "TrainingKernel.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace std;
using at::Tensor;

namespace {

using Properties = map<string, string>;
const Properties onCpu = {{"Precision", "double"}, {"Threads", "1"}};
const Properties byTorch = {{"Precision", "double"}, {"Device", "torch-cpu"}};

/** Draw samples of a flow at which log q is finite. */
vector<double> drawJoint(const Flow& flow, int count) {
    FlowContext context(flow, Platform::getPlatformByName("Reference"));
    vector<double> positions, logQ, kept;
    context.sampleJoint(2 * count + 10, positions, logQ, 5);
    const size_t size = positions.size() / logQ.size();
    for (size_t k = 0; k < logQ.size() && kept.size() < count * size; k++)
        if (isfinite(logQ[k]))
            kept.insert(kept.end(), &positions[k * size], &positions[k * size] + size);
    return kept;
}

/** What FlowGradientKernel gives: log q, penalties and the gradient. */
array<Tensor, 3> compute(TrainingKernel<FlowGradientKernel>& kernel, const Flow& flow,
                         const vector<double>& positions, int count, double penaltyWorth) {
    const auto& parameters = dynamic_cast<const CouplingModel&>(flow.getModel()).getParameters();
    vector<double> worth, logQ(count), penalty(count), gradient(parameters.size());
    for (int k = 0; k < count; k++)
        worth.push_back(cos(k));
    kernel.get().setParameters(parameters);
    kernel.get().compute(count, positions.data(), worth.data(), penaltyWorth, logQ.data(), penalty.data(),
                         gradient.data());
    return {asTensor(logQ).clone(), asTensor(penalty).clone(), asTensor(gradient).clone()};
}

class AugmentedModuleKernelTest : public testing::TestWithParam<CouplingVariant> {};

/** One of each kind: all are tested as modules. */
vector<CouplingVariant> getSomeVariants() {
    vector<CouplingVariant> variants;
    for (const CouplingVariant& variant : getCouplingVariants())
        for (const char* name : {"sphericalTypes", "sphericalTwoCopies", "affinePlane", "vectorPair",
                                 "augmentedAffineTypes", "augmentedSplinePlane"})
            if (variant.name == name)
                variants.push_back(variant);
    return variants;
}

}  // namespace

TEST_P(AugmentedModuleKernelTest, EqualsTheCpuPlatform) {
    // More than a block.
    const int count = 40;
    const Flow flow = makeRandomCouplingFlow(GetParam(), 7, 0.3);
    Properties inSingle = byTorch;
    inSingle["Precision"] = "single";
    TrainingKernel<FlowGradientKernel> kernel(flow, byTorch), expected(flow, onCpu), single(flow, inSingle);
    const vector<double> positions = drawJoint(flow, count);
    for (double penaltyWorth : {0.0, 0.3}) {
        const auto found = compute(kernel, flow, positions, count, penaltyWorth),
                   truth = compute(expected, flow, positions, count, penaltyWorth);
        for (int i = 0; i < 3; i++)
            EXPECT_LE((found[i] - truth[i]).norm().item<double>(), 1e-7 * truth[i].norm().item<double>())
                << i;
        const auto rounded = compute(single, flow, positions, count, penaltyWorth);
        EXPECT_LT((rounded[0] - truth[0]).abs().median().item<double>(), 1e-3);
        EXPECT_LT((rounded[2] - truth[2]).norm().item<double>(), 0.05 * truth[2].norm().item<double>());
        EXPECT_GT((rounded[0] - truth[0]).norm().item<double>(), 0);
    }
    const Flow other = makeRandomCouplingFlow(GetParam(), 8, 0.3);
    const auto changed = compute(kernel, other, positions, count, 0),
               truth = compute(expected, other, positions, count, 0);
    EXPECT_LT((changed[0] - truth[0]).abs().median().item<double>(), 1e-9);
}

TEST_P(AugmentedModuleKernelTest, SamplesThatAreNoNumbersHaveNoDensity) {
    const Flow flow = makeRandomCouplingFlow(GetParam(), 7, 0.3);
    vector<double> positions = drawJoint(flow, 3);
    positions[positions.size() / 2] = NAN;
    for (const Properties& properties : {onCpu, byTorch}) {
        TrainingKernel<FlowGradientKernel> kernel(flow, properties);
        const auto found = compute(kernel, flow, positions, 3, 0);
        EXPECT_TRUE(isfinite(found[0][0].item<double>()));
        EXPECT_FALSE(isfinite(found[0][1].item<double>()));
        EXPECT_FALSE(isfinite(found[2].norm().item<double>()));
    }
}

INSTANTIATE_TEST_SUITE_P(Variants, AugmentedModuleKernelTest, testing::ValuesIn(getSomeVariants()),
                         [](const auto& info) { return info.param.name; });

TEST(CoordinateModuleKernel, ManySamplesAreWhatTheirPartsAre) {
    const Flow flow = makeRandomFlow(6, InternalFlowModel::Activation::SiLU, 13);
    const auto& model = dynamic_cast<const InternalFlowModel&>(flow.getModel());
    const size_t D = model.getCoordinates().getNumCoordinates(), P = model.getParameters().size();
    TrainingKernel<CoordinateTrainingKernel> kernel(flow, byTorch);
    // More than a block, drawn at once and in two parts.
    const size_t count = 1500, part = 700;
    struct Samples {
        vector<double> positions, coordinates, logQ, gradient, adjoints;
    };
    auto draw = [&](size_t first, size_t count) {
        Samples s{vector<double>(18 * count), vector<double>(D * count), vector<double>(count),
                  vector<double>(D * count), vector<double>(model.getCouplings().size() * D * count, NAN)};
        kernel.get().sample(count, 3, first, s.positions.data(), s.coordinates.data(), s.logQ.data(),
                            s.gradient.data(), s.adjoints.data());
        return s;
    };
    const Samples all = draw(0, count), rest = draw(part, count - part);
    for (size_t k = 0; k < (count - part) * D; k++)
        EXPECT_NEAR(rest.coordinates[k], all.coordinates[part * D + k], 1e-9);
    for (size_t k = 0; k < (count - part) * 18; k++)
        EXPECT_NEAR(rest.positions[k], all.positions[part * 18 + k], 1e-9);
    int inside = 0;
    vector<double> evaluated(count), again(D * count), positions(18 * count), density(count);
    kernel.get().evaluate(count, all.coordinates.data(), positions.data(), evaluated.data(), again.data(),
                          nullptr);
    kernel.get().computeLogDensity(count, all.coordinates.data(), density.data());
    for (size_t k = 0; k < count; k++) {
        if (k >= part && isfinite(all.logQ[k])) {
            EXPECT_NEAR(rest.logQ[k - part], all.logQ[k], 1e-8);
            for (size_t j = 0; j < D; j++)
                EXPECT_NEAR(rest.gradient[D * (k - part) + j], all.gradient[D * k + j],
                            1e-8 * (1 + abs(all.gradient[D * k + j])));
            inside++;
        }
        if (isfinite(all.logQ[k])) {
            EXPECT_NEAR(evaluated[k], all.logQ[k], 1e-8);
        }
        EXPECT_TRUE(isfinite(density[k]));
    }
    EXPECT_GT(inside, 400);
    EXPECT_EQ(asTensor(const_cast<vector<double>&>(all.adjoints)).abs().max().item<double>(), 0);

    vector<double> worth, whole(P), first(P), second(P), logQ(count);
    for (size_t k = 0; k < count; k++)
        worth.push_back(sin(k));
    auto differentiate = [&](size_t start, size_t size, vector<double>& gradient) {
        kernel.get().computeLikelihoodGradient(size, &all.coordinates[D * start], &worth[start], &logQ[start],
                                               gradient.data());
    };
    differentiate(0, part, first);
    differentiate(part, count - part, second);
    differentiate(0, count, whole);
    EXPECT_LT((asTensor(logQ) - asTensor(density)).abs().max().item<double>(), 1e-9);
    EXPECT_LT((asTensor(first) + asTensor(second) - asTensor(whole)).norm().item<double>(),
              1e-10 * asTensor(whole).norm().item<double>());
}

namespace {

/** Operations that Torch has on its meta device in Python only: what shapes their results have. */
void expectSameDevice(const Tensor& a, const Tensor& b) {
    TORCH_CHECK(a.device() == b.device(), "tensors are on ", a.device(), " and on ", b.device());
}
Tensor selectIndices(const Tensor& x, int64_t axis, const Tensor& index) {
    expectSameDevice(x, index);
    vector<int64_t> sizes = x.sizes().vec();
    sizes[axis] = index.numel();
    return at::empty(sizes, x.options());
}
Tensor selectWhere(const Tensor& condition, const Tensor& a, const Tensor& b) {
    expectSameDevice(condition, a);
    expectSameDevice(condition, b);
    return condition.to(a.scalar_type()) + a + b;
}
tuple<Tensor, Tensor, Tensor> normalizeLayer(const Tensor& x, at::IntArrayRef, const optional<Tensor>&,
                                             const optional<Tensor>&, double) {
    return {at::empty_like(x), at::empty({}, x.options()), at::empty({}, x.options())};
}
Tensor& takeAbsoluteValue(const Tensor& x, Tensor& result) {
    return at::neg_out(result, x);
}
TORCH_LIBRARY_IMPL(aten, Meta, library) {
    library.impl("abs.out", takeAbsoluteValue);
    library.impl("index_select", selectIndices);
    library.impl("where.self", selectWhere);
    library.impl("native_layer_norm", normalizeLayer);
}

}  // namespace

/** On this device tensors have shapes but no numbers. Elementwise operations on tensors of two devices fail
 * there, and those above. */
TEST(ModulesOnAnotherDevice, KeepAllTheyNeedThere) {
    const at::TensorOptions meta = at::TensorOptions(at::kMeta).dtype(at::kFloat);
    const Flow internal = makeRandomFlow(8, InternalFlowModel::Activation::SiLU, 13);
    const auto model =
        make_shared<InternalFlowModel>(dynamic_cast<const InternalFlowModel&>(internal.getModel()));
    const InternalFlowModule module(model, at::kFloat);
    const Tensor parameters = module.getParameters().to(meta),
                 points = at::empty({model->getCoordinates().getNumCoordinates(), 5}, meta);
    EXPECT_EQ(module.logDensity(parameters, points).device(), at::kMeta);
    EXPECT_EQ(module.fromBase(parameters, module.orderBase(points)).sizes(), points.sizes());
    for (const CouplingVariant& variant : getCouplingVariants()) {
        const Flow flow = makeRandomCouplingFlow(variant, 7);
        const auto& coupling = dynamic_cast<const CouplingModel&>(flow.getModel());
        const Tensor values = at::tensor(coupling.getParameters()).to(meta),
                     joint = at::empty({5, coupling.getNumParticles() * coupling.getNumClouds(), 3}, meta);
        auto compute = [&]() -> Tensor {
            Tensor penalty;
            if (const auto* found = dynamic_cast<const EquivariantCouplingModel*>(&coupling))
                return EquivariantCouplingModule(make_shared<EquivariantCouplingModel>(*found), at::kFloat)
                           .logDensity(values, joint, &penalty)
                       + penalty;
            return AugmentedCouplingModule(make_shared<AugmentedCouplingModel>(
                                               dynamic_cast<const AugmentedCouplingModel&>(coupling)),
                                           at::kFloat)
                .logDensity(values, joint);
        };
        EXPECT_EQ(compute().device(), at::kMeta) << variant.name;
    }
    EXPECT_THROW(module.logDensity(parameters, at::empty_like(points, at::kCPU)), c10::Error)
        << "the device must find what is not on it";
}

namespace {

/** The parameters that a short run ends with. */
Tensor train(const string& device, bool hasData) {
    FlowTrainerOptions options = makeEnergyOptions();
    options.maxSamples = 64 * 20;
    options.validationInterval = 5;
    options.averagingDecay = 0;
    options.precision = "double";
    options.device = device;
    FlowTrainer trainer(makeUntrained(), options);
    if (!hasData)
        trainer.setTarget(*makeTarget(), temperature);
    const Flow flow = hasData ? trainer.train(draw(getTruth(), 500, 3).positions) : trainer.trainOnEnergy();
    EXPECT_NE(flow.getMetadata().at("training").find("\"device\":\"" + device + "\""), string::npos);
    vector<double> parameters = dynamic_cast<const InternalFlowModel&>(flow.getModel()).getParameters();
    return asTensor(parameters).clone();
}

}  // namespace

TEST(TrainingByTorch, GivesTheSameFlow) {
    for (bool hasData : {true, false}) {
        const Tensor expected = train("cpu", hasData), found = train("torch-cpu", hasData);
        EXPECT_LT((found - expected).norm().item<double>(), 1e-4 * expected.norm().item<double>());
        EXPECT_GT((found - expected).norm().item<double>(), 0) << "the same operations would round alike";
    }
}

TEST(TrainingByTorch, GoesOnFromTheCheckpointOfAnotherDevice) {
    const vector<double> data = draw(getTruth(), 500, 3).positions;
    auto train = [&](const string& device, const string& checkpoint, int steps) {
        FlowTrainerOptions options = makeShortOptions();
        options.maxSamples = 64 * 20;
        options.precision = "double";
        options.device = device;
        const auto progress = [&](const FlowTrainerProgress& report) { return report.step < steps; };
        options.validationInterval = 5;
        return FlowTrainer(makeUntrained(), options).train(data, {}, {}, checkpoint, progress);
    };
    const TemporaryFile checkpoint;
    train("cpu", checkpoint, 10);
    const Flow resumed = train("torch-cpu", checkpoint, 1000), expected = train("cpu", "", 1000);
    auto parametersOf = [](const Flow& flow) {
        return dynamic_cast<const InternalFlowModel&>(flow.getModel()).getParameters();
    };
    vector<double> found = parametersOf(resumed), truth = parametersOf(expected);
    EXPECT_LT((asTensor(found) - asTensor(truth)).norm().item<double>(),
              1e-4 * asTensor(truth).norm().item<double>());
}

TEST(TrainingByTorch, TrainsCouplingFlows) {
    const Flow flow = makeRandomCouplingFlow(getSomeVariants().front(), 7, 0.1);
    FlowContext context(flow, Platform::getPlatformByName("Reference"));
    vector<double> data, logQ;
    context.sample(200, data, logQ, 3);
    auto train = [&](const string& device) {
        FlowTrainerOptions options = makeShortOptions();
        options.batchSize = 20;
        options.maxSamples = 20 * 3;
        options.averagingDecay = 0;
        options.frameLossWeight = 0.1;
        options.precision = "double";
        options.device = device;
        const Flow trained = FlowTrainer(flow, options).train(data);
        return dynamic_cast<const CouplingModel&>(trained.getModel()).getParameters();
    };
    vector<double> found = train("torch-cpu"), expected = train("cpu");
    EXPECT_LT((asTensor(found) - asTensor(expected)).norm().item<double>(),
              1e-4 * asTensor(expected).norm().item<double>());
    EXPECT_NE(found, expected) << "the same operations would round alike";
}

TEST(TrainingDevice, IsExplained) {
    FlowTrainerOptions options;
    for (const char* name : {"gpu", "cuda:", "cuda:x", "cuda:123", "cuda:01", "", "CUDA"}) {
        options.device = name;
        expectError([&] { FlowTrainer(makeUntrained(), options); }, "The device of training must be");
    }
    // More than any machine has.
    expectError([] { openTrainingDevice("cuda:99"); }, "CUDA");
    EXPECT_EQ(openTrainingDevice("torch-cpu"), at::Device(at::kCPU));
}
