// The equivariant coupling flow as Torch operations: the values and derivatives of the Reference platform,
// and those of the flow as a map.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "CouplingMap.h"
#include "CouplingModuleFixture.h"
#include "EquivariantCouplingModule.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace std;
using at::Tensor;
using namespace OpenMMFlow::tests;
using Transform = EquivariantCouplingModel::Transform;

namespace {

class CouplingModuleTest
    : public tests::CouplingModuleFixture<EquivariantCouplingModule, EquivariantCouplingModel> {
protected:
    bool hasFrameLoss() const {
        return GetParam().dimensions == 3 && GetParam().transform != Transform::Vector;
    }
};

}  // namespace

TEST_P(CouplingModuleTest, LogDensityEqualsReferencePlatform) {
    const Tensor joint = shift(drawJoint(60));
    const Tensor expected = at::tensor(context->computeJointLogDensity(toVector(joint)));
    expectSmall(module->logDensity(parameters, joint) - expected, 1e-10);
}

TEST_P(CouplingModuleTest, LogDensityInSinglePrecision) {
    make(0.4);
    const Tensor joint = shift(drawJoint(100));
    const Tensor expected = at::tensor(context->computeJointLogDensity(toVector(joint)));
    const EquivariantCouplingModule single(model, at::kFloat);
    const Tensor found = single.logDensity(single.getParameters(), joint);
    EXPECT_EQ(at::kFloat, found.scalar_type());
    EXPECT_LT((found - expected).abs().median().item<double>(), 2e-3);
}

TEST_P(CouplingModuleTest, TransformEqualsReferencePlatform) {
    const Tensor base = drawBase(40);
    const auto [positions, logQ] = module->transform(parameters, shift(base));
    const ReferenceCouplingFlow reference(*flow);
    Tensor expected = at::empty_like(base), expectedLogQ = at::empty_like(logQ);
    for (int64_t k = 0; k < base.size(0); k++)
        expectedLogQ[k] = reference.transform(base[k].data_ptr<double>(), expected[k].data_ptr<double>());
    expectSmall(expectedLogQ - logQ, 1e-10);
    expectSmall((positions - expected).flatten(1).norm(2, {1}) / model->getOptions().lengthUnit, 1e-10);
    expectSmall(module->logDensity(parameters, positions) - logQ, 1e-9);
}

TEST_P(CouplingModuleTest, GradientEqualsReferencePlatform) {
    const Tensor joint = drawJoint(40).requires_grad_();
    vector<double> logQ, gradient;
    context->computeJointLogDensityGradient(toVector(joint.detach()), logQ, gradient);
    const Tensor expected = toTensor(gradient);
    const Tensor found = differentiate(module->logDensity(parameters, joint).sum(), joint);
    expectSameGradients(found, expected);
}

TEST_P(CouplingModuleTest, ParameterGradientEqualsReferencePlatform) {
    const Tensor joint = drawJoint(20);
    const ReferenceCouplingFlow reference(*flow);
    parameters.requires_grad_();
    vector<Tensor> found, expected;
    for (int64_t k = 0; k < joint.size(0); k++) {
        vector<double> gradient(model->getParameters().size());
        double logQ, penalty;
        Tensor frameLoss;
        reference.addParameterGradient(joint[k].data_ptr<double>(), 1, 0.7, logQ, penalty, gradient.data());
        expected.push_back(at::tensor(gradient));
        const Tensor value = module->logDensity(parameters, joint.narrow(0, k, 1), &frameLoss);
        EXPECT_NEAR(penalty, frameLoss.item<double>(), 1e-9);
        found.push_back(differentiate(value + 0.7 * frameLoss, parameters));
    }
    expectSameGradients(at::stack(found), at::stack(expected));
    Tensor frameLoss;
    const Tensor sum = module->logDensity(parameters, joint, &frameLoss).sum();
    const Tensor together = differentiate(sum + 0.7 * frameLoss.sum(), parameters);
    EXPECT_LT(largest(together - at::stack(found).sum(0)), 1e-8 * largest(together));
}

TEST_P(CouplingModuleTest, LogDensityIsThatOfTheMap) {
    if (GetParam().bonds)
        GTEST_SKIP() << "whose base is not a product of Gaussians";
    expectDensityOfTheMap(*module, *model, parameters, drawBase(40));
}

TEST_P(CouplingModuleTest, ParticlesInOnePlaceHaveAGradient) {
    Tensor joint = drawJoint(40);
    joint.select(1, 1).copy_(joint.select(1, 0));
    vector<double> logQ, gradient;
    context->computeJointLogDensityGradient(toVector(joint), logQ, gradient);
    joint.requires_grad_();
    const Tensor isFinite = at::isfinite(at::tensor(logQ)), expected = toTensor(gradient).index({isFinite});
    const Tensor density = module->logDensity(parameters, joint);
    const Tensor found = differentiate(density.index({isFinite}).sum(), joint).index({isFinite});
    EXPECT_TRUE(at::isfinite(found).all().item<bool>());
    expectSameGradients(found, expected);
}

TEST_P(CouplingModuleTest, FrameLossIsThatOfTheFrames) {
    const Tensor base = drawBase(30);
    Tensor loss, again;
    const auto [positions, logQ] = module->transform(parameters, base, &loss);
    const Tensor density = module->logDensity(parameters, positions, &again);
    EXPECT_TRUE(at::equal(density, module->logDensity(parameters, positions)));
    EXPECT_EQ(base.size(0), loss.size(0));
    EXPECT_LT(largest(loss - again), 1e-7) << "the frames are the same forwards and backwards";
    if (hasFrameLoss())
        EXPECT_GT(loss.min().item<double>(), 0);
    else
        EXPECT_EQ(0, largest(loss));
}

TEST_P(CouplingModuleTest, FrameLossGradientEqualsFiniteDifferences) {
    if (!hasFrameLoss())
        return;
    make(0.4);
    const Tensor joint = drawJoint(8);
    const double step = 1e-6;
    at::manual_seed(2);
    vector<double> errors;
    for (int64_t k = 0; k < joint.size(0); k++) {
        const Tensor x = joint.narrow(0, k, 1).clone().requires_grad_();
        const Tensor p = parameters.clone().requires_grad_();
        const Tensor u = model->getOptions().lengthUnit * at::randn_like(x), v = at::randn_like(p);
        auto evaluate = [&](double xStep, double pStep) {
            Tensor loss;
            module->logDensity(p + pStep * v, x + xStep * u, &loss);
            return loss;
        };
        const double byPositions = (differentiate(evaluate(0, 0), x) * u).sum().item<double>(),
                     byParameters = (differentiate(evaluate(0, 0), p) * v).sum().item<double>();
        const double xSlope = (evaluate(step, 0) - evaluate(-step, 0)).item<double>() / (2 * step),
                     pSlope = (evaluate(0, step) - evaluate(0, -step)).item<double>() / (2 * step);
        errors.push_back(fabs(xSlope / byPositions - 1));
        errors.push_back(fabs(pSlope / byParameters - 1));
    }
    // Some differences straddle the angle below which there is no penalty.
    nth_element(errors.begin(), errors.begin() + errors.size() / 2, errors.end());
    EXPECT_LT(errors[errors.size() / 2], 1e-6);
}

TEST_P(CouplingModuleTest, ModelOfParametersIsTheSameModel) {
    EXPECT_EQ(flow->getHash(), Flow(module->createModel(parameters)).getHash());
    const Tensor changed = parameters * 1.1, joint = drawJoint(5);
    const EquivariantCouplingModule other(module->createModel(changed), at::kDouble);
    EXPECT_TRUE(
        at::equal(module->logDensity(changed, joint), other.logDensity(other.getParameters(), joint)));
}

INSTANTIATE_TEST_SUITE_P(Variants, CouplingModuleTest, testing::ValuesIn(getEquivariantVariants()),
                         [](const auto& info) { return info.param.name; });

TEST(Collinearity, IsThePenaltyOfAnAngle) {
    vector<double> values;
    for (double angle : {M_PI / 2, 2.0, 0.6, 0.3, 0.1, 0.02, 0.01, 1e-9})
        values.insert(values.end(), {0.0, 0.0, 3.0, 0.1 * sin(angle), 0.0, 0.1 * cos(angle)});
    const Tensor penalty = computeCollinearity(at::tensor(values).view({-1, 2, 3}));
    EXPECT_NEAR(penalty[0].item<double>(), 0, 1e-12);
    EXPECT_NEAR(penalty[1].item<double>(), -log(1 + cos(2.0)), 1e-12);
    for (int i = 1; i < 6; i++)
        EXPECT_GT(penalty[i].item<double>(), penalty[i - 1].item<double>());
    EXPECT_EQ(penalty[6].item<double>(), 0) << "1 - |cos| is 5e-5";
    EXPECT_EQ(penalty[7].item<double>(), 0);
}

TEST(Collinearity, HasAGradientWhereVectorsAreParallelOrZero) {
    const Tensor axes = at::tensor({0.0, 0.0, 2.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0})
                            .view({2, 2, 3})
                            .requires_grad_();
    EXPECT_TRUE(at::isfinite(differentiate(computeCollinearity(axes).sum(), axes)).all().item<bool>());
}

TEST(FrameTransform, APointOnTheOriginHasAGradient) {
    for (const CouplingVariant& variant : getEquivariantVariants()) {
        const auto model = getModel<EquivariantCouplingModel>(makeRandomCouplingFlow(variant, 7));
        const FrameTransform transform(*model);
        at::manual_seed(4);
        const int64_t dimensions = variant.dimensions;
        const Tensor points = at::zeros({1, 1, 1, dimensions}, at::kDouble).requires_grad_();
        const Tensor axes =
            at::randn({1, 1, 1, transform.getNumAxes(), dimensions}, at::kDouble).requires_grad_();
        const Tensor parameters =
            at::randn({1, 1, model->getNumCoordinates() * model->getParametersPerCoordinate()}, at::kDouble)
                .requires_grad_();
        for (SplineDirection direction : {SplineDirection::Forward, SplineDirection::Inverse}) {
            const auto [mapped, logVolume] = transform.map(direction, points, axes, parameters);
            for (const Tensor& variable : {points, parameters})
                EXPECT_TRUE(
                    at::isfinite(differentiate(mapped.sum() + logVolume.sum(), variable)).all().item<bool>())
                    << variant.name;
        }
    }
}
