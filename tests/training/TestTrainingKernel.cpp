// The kernels for the training of internal-coordinate flows, of the CPU platform and by Torch operations,
// against the flow as Torch operations, whose derivatives are those of autodiff, and against the Reference
// platform.

#include <gtest/gtest.h>

#include <cmath>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include "InternalFlowModule.h"
#include "RandomFlow.h"
#include "TensorArrays.h"
#include "TrainingKernel.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/FlowContext.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace std;
using at::Tensor;
using Activation = InternalFlowModel::Activation;

namespace {

using Properties = map<string, string>;

class TrainingKernelTest : public testing::TestWithParam<Properties> {
protected:
    TrainingKernelTest() { at::set_num_threads(1); }
    const Properties& properties = GetParam();
    const bool isDouble = properties.at("Precision") == "double";
    const Flow flow = makeRandomFlow(8, Activation::SiLU, 13);
    const shared_ptr<const InternalFlowModel> model =
        make_shared<InternalFlowModel>(dynamic_cast<const InternalFlowModel&>(flow.getModel()));
    const InternalFlowModule module{model, at::kDouble};
    TrainingKernel<CoordinateTrainingKernel> kernel{flow, properties};
    const vector<char>& circular = model->getCoordinates().circular;
    const int64_t D = (int64_t)circular.size(), P = (int64_t)model->getParameters().size();
    // Neither a whole number of blocks nor of vectors.
    const int64_t count = 301;
    const int64_t numAdjoints = count * (int64_t)model->getCouplings().size() * D;

    /** (D, count) */
    Tensor drawCoordinates() const {
        at::manual_seed(5);
        Tensor c = at::empty({D, count}, at::kDouble);
        for (int64_t j = 0; j < D; j++)
            c[j].copy_(circular[j] ? (at::rand({count}, at::kDouble) * 2 - 1) * M_PI
                                   : at::randn({count}, at::kDouble) * 1.5);
        return c;
    }
    /** The gradient of a function of the module's parameters, in the order of the model. */
    Tensor inOrderOfTheModel(const Tensor& gradient) const {
        vector<double> parameters =
            dynamic_cast<const InternalFlowModel&>(*module.createModel(gradient)).getParameters();
        return asTensor(parameters).clone();
    }
    void expectSumOfParts(const vector<double>& coordinates, const vector<double>& adjoints) {
        vector<double> logQ(count), path(P), likelihood(P), both(P);
        at::manual_seed(6);
        const vector<double> differences = toVector(at::randn({count * D}, at::kDouble)),
                             worths = toVector(at::randn({count}, at::kDouble));
        kernel.get().computePathGradient(count, coordinates.data(), differences.data(), path.data());
        kernel.get().computeLikelihoodGradient(count, coordinates.data(), worths.data(), logQ.data(),
                                               likelihood.data());
        kernel.get().computeBalancedPathGradient(count, coordinates.data(), differences.data(),
                                                 adjoints.data(), worths.data(), both.data());
        expectClose(asTensor(both), asTensor(path) + asTensor(likelihood), 1e-2);
        EXPECT_GT(asTensor(likelihood).norm().item<double>(), 0.1 * asTensor(path).norm().item<double>());
    }
    void expectClose(const Tensor& found, const Tensor& expected, double single) const {
        EXPECT_LT((found - expected).norm().item<double>(),
                  (isDouble ? 1e-10 : single) * expected.norm().item<double>());
    }
};

}  // namespace

TEST_P(TrainingKernelTest, LogDensityAndItsGradientAreThoseOfTheModule) {
    const Tensor c = drawCoordinates();
    const vector<double> coordinates = toVector(c.t());
    Tensor worth = at::cos(at::arange(count, at::kDouble));
    vector<double> logQ(count), again(count), gradient(P), worths = toVector(worth);
    kernel.get().computeLogDensity(count, coordinates.data(), logQ.data());
    kernel.get().computeLikelihoodGradient(count, coordinates.data(), worths.data(), again.data(),
                                           gradient.data());
    Tensor parameters = module.getParameters().requires_grad_();
    const Tensor expected = module.logDensity(parameters, c);
    EXPECT_LT((asTensor(logQ) - expected).abs().max().item<double>(), isDouble ? 1e-10 : 1e-3);
    EXPECT_EQ(logQ, again);
    const Tensor slope = torch::autograd::grad({(expected * worth).sum()}, {parameters})[0];
    expectClose(asTensor(gradient), inOrderOfTheModel(slope), 1e-3);
    vector<double> repeated(P);
    kernel.get().computeLikelihoodGradient(count, coordinates.data(), worths.data(), again.data(),
                                           repeated.data());
    EXPECT_EQ(gradient, repeated);
}

/** The path gradient is minus the derivative of w . f(c) by the parameters, with f from the coordinates to
 * the base and w constant: what is given times the transposed inverse of the Jacobian. */
TEST_P(TrainingKernelTest, PathGradientIsThatOfTheModule) {
    const Tensor c = drawCoordinates(), difference = at::randn({D, count}, at::kDouble);
    const vector<double> coordinates = toVector(c.t()), differences = toVector(difference.t());
    vector<double> gradient(P);
    kernel.get().computePathGradient(count, coordinates.data(), differences.data(), gradient.data());

    Tensor point = c.clone().requires_grad_(), parameters = module.getParameters().requires_grad_();
    const Tensor base = module.toBase(parameters, point).first;
    vector<Tensor> rows;
    for (int64_t i = 0; i < D; i++)
        rows.push_back(torch::autograd::grad({base.select(0, i).sum()}, {point}, {}, true)[0]);
    // (count, D, D): d base / d coordinate.
    const Tensor jacobian = at::stack(rows).permute({2, 0, 1});
    const Tensor w = at::linalg_solve(jacobian.transpose(1, 2), difference.t().unsqueeze(2)).squeeze(2);
    const Tensor slope = torch::autograd::grad({-(w.t() * base).sum()}, {parameters})[0];
    expectClose(asTensor(gradient), inOrderOfTheModel(slope), 1e-2);
    EXPECT_GT(slope.norm().item<double>(), 1);
}

TEST_P(TrainingKernelTest, BalancedPathGradientIsTheSumOfItsParts) {
    vector<double> positions(3 * 8 * count), coordinates(D * count), logQ(count), byCoordinates(D * count),
        adjoints(numAdjoints);
    kernel.get().sample(count, 3, 50, positions.data(), coordinates.data(), logQ.data(), byCoordinates.data(),
                        adjoints.data());
    expectSumOfParts(coordinates, adjoints);
    // Of samples that are given.
    coordinates = toVector(drawCoordinates().t());
    kernel.get().evaluate(count, coordinates.data(), positions.data(), logQ.data(), byCoordinates.data(),
                          adjoints.data());
    expectSumOfParts(coordinates, adjoints);
}

TEST_P(TrainingKernelTest, SamplesAreThoseOfReferenceWithTheGradientOfTheirLogDensity) {
    const int64_t N = 8;
    vector<double> positions(3 * N * count), coordinates(D * count), logQ(count), gradient(D * count),
        adjoints(numAdjoints), expected, expectedLogQ, byPositions;
    kernel.get().sample(count, 7, 1000, positions.data(), coordinates.data(), logQ.data(), gradient.data(),
                        adjoints.data());
    FlowContext reference(flow, Platform::getPlatformByName("Reference"));
    reference.sample(count, expected, expectedLogQ, 7, 1000);
    reference.computeLogDensityGradient(expected, expectedLogQ, byPositions);
    const InternalCoordinates& internal = model->getCoordinates();
    int compared = 0;
    for (int64_t k = 0; k < count; k++) {
        EXPECT_EQ(isinf(logQ[k]), isinf(expectedLogQ[k]));
        if (!isfinite(logQ[k]))
            continue;
        const double* r = &expected[3 * N * k];
        const vector<double> values = internal.measure(r);
        const vector<double> byValues = internal.toCoordinateGradient(
            {r, r + 3 * N}, {&byPositions[3 * N * k], &byPositions[3 * N * k] + 3 * N});
        EXPECT_NEAR(logQ[k], expectedLogQ[k], isDouble ? 1e-9 : 1e-2);
        double difference = 0, size = 0;
        for (int64_t i = 0; i < 3 * N; i++)
            EXPECT_NEAR(positions[3 * N * k + i], r[i], isDouble ? 1e-9 : 1e-4);
        for (int64_t j = 0; j < D; j++) {
            const double scale = circular[j] ? 1 : internal.scale[j];
            EXPECT_NEAR(coordinates[D * k + j],
                        circular[j] ? values[j] : (values[j] - internal.center[j]) / scale,
                        isDouble ? 1e-7 : 1e-2);
            difference += pow(gradient[D * k + j] - byValues[j] * scale, 2);
            size += pow(byValues[j] * scale, 2);
        }
        EXPECT_LT(sqrt(difference / size), isDouble ? 1e-7 : 0.05);
        compared++;
    }
    EXPECT_GT(compared, count / 2);
}

TEST_P(TrainingKernelTest, EvaluatesSamplesThatAreGivenByTheirCoordinates) {
    const int64_t N = 8;
    vector<double> positions(3 * N * count), coordinates(D * count), logQ(count), gradient(D * count),
        adjoints(numAdjoints), found(positions), foundLogQ(count), foundGradient(gradient);
    kernel.get().sample(count, 7, 0, positions.data(), coordinates.data(), logQ.data(), gradient.data(),
                        adjoints.data());
    kernel.get().evaluate(count, coordinates.data(), found.data(), foundLogQ.data(), foundGradient.data(),
                          nullptr);
    const InternalCoordinates& internal = model->getCoordinates();
    for (int64_t k = 0; k < count; k++) {
        if (!isfinite(logQ[k])) {
            EXPECT_EQ(logQ[k], foundLogQ[k]);
            continue;
        }
        EXPECT_NEAR(logQ[k], foundLogQ[k], isDouble ? 1e-9 : 1e-2);
        const vector<double> expected = internal.measure(&positions[3 * N * k]),
                             values = internal.measure(&found[3 * N * k]);
        double difference = 0, size = 0;
        for (int64_t j = 0; j < D; j++) {
            EXPECT_NEAR(values[j], expected[j], isDouble ? 1e-9 : 1e-3);
            difference += pow(gradient[D * k + j] - foundGradient[D * k + j], 2);
            size += pow(gradient[D * k + j], 2);
        }
        EXPECT_LT(sqrt(difference / size), isDouble ? 1e-8 : 0.05);
    }
}

TEST_P(TrainingKernelTest, TakesOtherParameters) {
    const Flow other = makeRandomFlow(8, Activation::SiLU, 14);
    const auto& otherModel = dynamic_cast<const InternalFlowModel&>(other.getModel());
    const shared_ptr<const InternalFlowModel> changed = model->withParameters(otherModel.getParameters());
    const vector<double> coordinates = toVector(drawCoordinates().t());
    vector<double> logQ(count), expected(count);
    TrainingKernel<CoordinateTrainingKernel> same(Flow(changed), properties);
    same.get().computeLogDensity(count, coordinates.data(), expected.data());
    kernel.get().setParameters(otherModel.getParameters());
    kernel.get().computeLogDensity(count, coordinates.data(), logQ.data());
    EXPECT_EQ(logQ, expected);
    vector<double> broken = otherModel.getParameters();
    broken.back() = NAN;
    EXPECT_THROW(kernel.get().setParameters(broken), OpenMMException);
    kernel.get().computeLogDensity(count, coordinates.data(), logQ.data());
    EXPECT_EQ(logQ, expected);
    EXPECT_THROW(model->withParameters(vector<double>(P - 1)), OpenMMException);
    EXPECT_THROW(model->withParameters(vector<double>(P + 1)), OpenMMException);
}

namespace {

/** With kernels of the CPU platform. */
class LargeTrainingKernelTest : public TrainingKernelTest {};

}  // namespace

/** What networks make of samples is kept for the way back, but not where that takes much memory. */
TEST_P(LargeTrainingKernelTest, HasTheSameGradient) {
    InternalFlowModel::Configuration configuration;
    configuration.couplings = 24;
    configuration.hidden = 600;
    configuration.blocks = 1;
    const InternalFlowModel untrained(model->getCoordinates(), configuration, 4);
    at::manual_seed(7);
    vector<double> values = untrained.getParameters();
    asTensor(values) += 0.01 * at::randn({(int64_t)values.size()}, at::kDouble);
    const auto large = untrained.withParameters(values);
    const Flow largeFlow{large};
    TrainingKernel<CoordinateTrainingKernel> largeKernel(largeFlow, properties);
    const int64_t few = 5;
    const Tensor c = drawCoordinates().narrow(1, 0, few).contiguous();
    const vector<double> worth(few, 1.0), coordinates = toVector(c.t());
    vector<double> logQ(few), gradient(large->getParameters().size());
    largeKernel.get().computeLikelihoodGradient(few, coordinates.data(), worth.data(), logQ.data(),
                                                gradient.data());
    const InternalFlowModule largeModule{large, at::kDouble};
    Tensor parameters = largeModule.getParameters().requires_grad_();
    const Tensor expected = largeModule.logDensity(parameters, c);
    for (int64_t k = 0; k < few; k++)
        EXPECT_NEAR(logQ[k], expected[k].item<double>(), isDouble ? 1e-9 : 1e-2);
    const Tensor slope = torch::autograd::grad({expected.sum()}, {parameters})[0];
    vector<double> inOrder =
        dynamic_cast<const InternalFlowModel&>(*largeModule.createModel(slope)).getParameters();
    expectClose(asTensor(gradient), asTensor(inOrder), 1e-2);

    // The way back of a sample as it is drawn keeps nothing either way.
    vector<double> positions(3 * 8 * few), drawn(D * few), byCoordinates(D * few), again(D * few),
        adjoints(few * configuration.couplings * D);
    largeKernel.get().sample(few, 3, 0, positions.data(), drawn.data(), logQ.data(), byCoordinates.data(),
                             adjoints.data());
    vector<double> adjointsAgain(adjoints.size());
    largeKernel.get().evaluate(few, drawn.data(), positions.data(), logQ.data(), again.data(),
                               adjointsAgain.data());
    expectClose(asTensor(again), asTensor(byCoordinates), 1e-2);
    expectClose(asTensor(adjointsAgain), asTensor(adjoints), 1e-2);
}

/** Such as "double3" with three threads, and "doubleTorch". */
static string nameOf(const testing::TestParamInfo<Properties>& info) {
    const Properties& properties = info.param;
    return properties.at("Precision") + (properties.contains("Device") ? "Torch" : properties.at("Threads"));
}

static const auto cpuPlatform = testing::Values(Properties{{"Precision", "double"}, {"Threads", "1"}},
                                                Properties{{"Precision", "double"}, {"Threads", "3"}},
                                                Properties{{"Precision", "single"}, {"Threads", "2"}});
INSTANTIATE_TEST_SUITE_P(CpuPlatform, TrainingKernelTest, cpuPlatform, nameOf);
INSTANTIATE_TEST_SUITE_P(CpuPlatform, LargeTrainingKernelTest, cpuPlatform, nameOf);
INSTANTIATE_TEST_SUITE_P(Torch, TrainingKernelTest,
                         testing::Values(Properties{{"Precision", "double"}, {"Device", "torch-cpu"}},
                                         Properties{{"Precision", "single"}, {"Device", "torch-cpu"}}),
                         nameOf);
