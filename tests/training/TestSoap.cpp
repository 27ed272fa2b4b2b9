// The bases that SOAP works in, and its steps.

#include <gtest/gtest.h>

#include <ATen/ATen.h>
#include <cmath>

#include "KroneckerBases.h"
#include "Optimizer.h"

using namespace OpenMMFlow;
using namespace std;
using at::Tensor;

namespace {

// As many of both: nothing says what the bases of a null space are.
constexpr int inputs = 4, outputs = 4;
const LayerPlace layer{inputs, outputs, 2, 2 + inputs* outputs};
/** Something before the layer, its weights and its biases. */
constexpr int64_t numParameters = 2 + inputs * outputs + outputs;

Tensor makeNoise(at::IntArrayRef shape, uint64_t seed) {
    return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed), at::kDouble);
}

Tensor makeRotation(int64_t size, uint64_t seed) {
    return get<0>(at::linalg_qr(makeNoise({size, size}, seed)));
}

Tensor getWeights(const Tensor& parameters, const LayerPlace& place = layer) {
    return parameters.narrow(0, (int64_t)place.weight, place.inputs * place.outputs)
        .view({place.outputs, place.inputs});
}

/** The same parameters, with the weights turned. */
Tensor turn(const Tensor& parameters, const Tensor& left, const Tensor& right) {
    Tensor result = parameters.clone();
    getWeights(result).copy_(at::mm(at::mm(left, getWeights(parameters)), right));
    return result;
}

/** What these weights are after 25 steps on the gradients of a quadratic function, all turned. */
Tensor minimise(const string& method, const Tensor& left, const Tensor& right) {
    FlowTrainerOptions options;
    options.optimizer = method;
    options.learningRate = 0.05;
    options.warmupSteps = 3;
    const Optimizer optimizer(options, {layer}, 25);
    TrainingState state = optimizer.begin(turn(makeNoise({numParameters}, 1), left, right));
    const Tensor stretch = makeNoise({outputs, outputs}, 2), offset = makeNoise({numParameters}, 3);
    for (; state.step < 25; state.step++) {
        const Tensor parameters = turn(state.parameters, left.t(), right.t());
        Tensor gradient = parameters - offset + 0.1 * makeNoise({numParameters}, 10 + state.step);
        Tensor weights = getWeights(gradient);
        weights.copy_(at::mm(stretch, weights));
        state.parameters.mutable_grad() = turn(gradient, left, right);
        optimizer.update(state);
    }
    return turn(state.average, left.t(), right.t());
}

double getDifference(const Tensor& a, const Tensor& b) {
    return (a - b).abs().max().item<double>();
}

}  // namespace

TEST(Soap, BasesAreEigenvectors) {
    const LayerPlace wide{6, 3, 2, 20};
    const int64_t size = 23;
    const KroneckerBases kronecker({wide});
    ASSERT_EQ(kronecker.getSize(), 9 + 36);
    Tensor averages = at::zeros({kronecker.getSize()}, at::kDouble), bases = at::zeros_like(averages);
    Tensor left = at::zeros({3, 3}, at::kDouble), right = at::zeros({6, 6}, at::kDouble);
    for (int step = 0; step < 20; step++) {
        const Tensor gradient = makeNoise({size}, step), weights = getWeights(gradient, wide);
        kronecker.average(averages, gradient, 0.25);
        left = 0.75 * left + 0.25 * at::mm(weights, weights.t());
        right = 0.75 * right + 0.25 * at::mm(weights.t(), weights);
    }
    Tensor leftBasis = bases.narrow(0, 0, 9).view({3, 3}), rightBasis = bases.narrow(0, 9, 36).view({6, 6});
    auto getLargestOffDiagonal = [&] {
        double largest = 0;
        for (const auto& [matrix, basis] : {pair(left, leftBasis), pair(right, rightBasis)}) {
            const Tensor inBasis = at::mm(at::mm(basis.t(), matrix), basis);
            largest = max(largest, getDifference(inBasis, at::diag(inBasis.diagonal())));
        }
        return largest;
    };
    kronecker.solve(bases, averages);
    EXPECT_LT(getLargestOffDiagonal(), 1e-12);
    const Tensor solved = bases.clone();
    kronecker.refine(bases, averages);
    EXPECT_LT(getDifference(bases.abs(), solved.abs()), 1e-12) << "the iteration stays where it ends";
    leftBasis.copy_(makeRotation(3, 5));
    rightBasis.copy_(makeRotation(6, 6));
    EXPECT_GT(getLargestOffDiagonal(), 0.1);
    for (int step = 0; step < 3000; step++)
        kronecker.refine(bases, averages);
    EXPECT_LT(getLargestOffDiagonal(), 1e-9);

    const Tensor parameters = makeNoise({size}, 7), rotated = kronecker.rotate(parameters, bases);
    const Tensor expected = at::mm(at::mm(leftBasis.t(), getWeights(parameters, wide)), rightBasis);
    EXPECT_LT(getDifference(getWeights(rotated, wide), expected), 1e-14);
    EXPECT_EQ(getDifference(rotated.slice(0, 0, 2), parameters.slice(0, 0, 2)), 0);
    EXPECT_EQ(getDifference(rotated.slice(0, wide.bias), parameters.slice(0, wide.bias)), 0);
    EXPECT_LT(getDifference(kronecker.rotateBack(rotated, bases), parameters), 1e-14);
}

/** A long side keeps its basis. */
TEST(Soap, LongSidesAreLeftAlone) {
    EXPECT_EQ(KroneckerBases({{4, 1000, 0, 4000}}).getSize(), 16);
    EXPECT_EQ(KroneckerBases({{1000, 4, 0, 4000}}).getSize(), 16);
}

TEST(Soap, StepsTurnWithTheWeights) {
    const Tensor left = makeRotation(outputs, 8), right = makeRotation(inputs, 9);
    const Tensor one = at::eye(outputs, at::kDouble), other = at::eye(inputs, at::kDouble);
    const Tensor result = minimise("soap", one, other);
    EXPECT_GT(getDifference(result, makeNoise({numParameters}, 1)), 0.5) << "the weights have moved";
    EXPECT_LT(getDifference(result, minimise("soap", left, right)), 1e-7);
    EXPECT_GT(getDifference(minimise("adam", one, other), minimise("adam", left, right)), 1e-2);
}

/** The first step, whose bases are the singular vectors of the gradient: there are no other entries there. */
TEST(Soap, FirstStepIsASignInTheBasesOfTheGradient) {
    FlowTrainerOptions options;
    options.optimizer = "soap";
    options.learningRate = 0.05;
    options.warmupSteps = 0;
    const Optimizer optimizer(options, {layer}, 10);
    TrainingState state = optimizer.begin(at::zeros({numParameters}, at::kDouble));
    Tensor gradient = makeNoise({numParameters}, 1);
    state.parameters.mutable_grad() = gradient.clone();
    optimizer.update(state);
    const auto [u, s, v] = at::linalg_svd(getWeights(gradient), false);
    EXPECT_LT(getDifference(getWeights(state.parameters), -0.05 * at::mm(u, v)), 1e-6);
    EXPECT_LT(
        getDifference(state.parameters.slice(0, layer.bias), -0.05 * gradient.slice(0, layer.bias).sign()),
        1e-6);
}
