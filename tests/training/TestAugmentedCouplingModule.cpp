// The augmented coupling flow as Torch operations: the values and derivatives of the Reference platform.

#include <gtest/gtest.h>

#include <ATen/ATen.h>

#include "AugmentedCouplingModule.h"
#include "CouplingMap.h"
#include "CouplingModuleFixture.h"

using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace std;
using at::Tensor;

namespace {

class AugmentedModuleTest : public CouplingModuleFixture<AugmentedCouplingModule, AugmentedCouplingModel> {};

TEST_P(AugmentedModuleTest, LogDensityEqualsReferencePlatform) {
    const Tensor joint = shift(drawJoint(60));
    const Tensor expected = at::tensor(context->computeJointLogDensity(toVector(joint)));
    EXPECT_LT(largest(module->logDensity(parameters, joint) - expected), 1e-9);
    EXPECT_GT(expected.std().item<double>(), 1);
}

TEST_P(AugmentedModuleTest, LogDensityFarOutEqualsReferencePlatform) {
    // Beyond the range of the splines, where lines may be so flat that their inverses lead very far.
    const Tensor joint = 4 * drawJoint(40);
    const Tensor expected = at::tensor(context->computeJointLogDensity(toVector(joint)));
    EXPECT_TRUE(at::isfinite(expected).all().item<bool>());
    EXPECT_LT(largest(module->logDensity(parameters, joint) / expected - 1), 1e-9);
}

TEST_P(AugmentedModuleTest, LogDensityInSinglePrecision) {
    make(0.4);
    const Tensor joint = shift(drawJoint(100));
    const Tensor expected = at::tensor(context->computeJointLogDensity(toVector(joint)));
    const AugmentedCouplingModule single(model, at::kFloat);
    const Tensor found = single.logDensity(single.getParameters(), joint);
    EXPECT_EQ(at::kFloat, found.scalar_type());
    EXPECT_LT((found - expected).abs().median().item<double>(), 1e-4);
}

TEST_P(AugmentedModuleTest, TransformEqualsReferencePlatform) {
    const Tensor base = drawBase(40);
    const auto [positions, logQ] = module->transform(parameters, shift(base));
    const ReferenceCouplingFlow reference(*flow);
    Tensor expected = at::empty_like(base), expectedLogQ = at::empty_like(logQ);
    for (int64_t k = 0; k < base.size(0); k++)
        expectedLogQ[k] = reference.transform(base[k].data_ptr<double>(), expected[k].data_ptr<double>());
    EXPECT_LT(largest(expectedLogQ - logQ), 1e-9);
    EXPECT_LT(largest(positions - expected), 1e-9 * model->getOptions().lengthUnit);
    EXPECT_LT(largest(module->logDensity(parameters, positions) - logQ), 1e-8);
}

TEST_P(AugmentedModuleTest, GradientEqualsReferencePlatform) {
    const Tensor joint = drawJoint(40).requires_grad_();
    vector<double> logQ, gradient;
    context->computeJointLogDensityGradient(toVector(joint.detach()), logQ, gradient);
    expectSameGradients(differentiate(module->logDensity(parameters, joint).sum(), joint),
                        toTensor(gradient));
}

TEST_P(AugmentedModuleTest, ParameterGradientEqualsReferencePlatform) {
    const Tensor joint = drawJoint(20);
    const ReferenceCouplingFlow reference(*flow);
    parameters.requires_grad_();
    vector<Tensor> found, expected;
    for (int64_t k = 0; k < joint.size(0); k++) {
        vector<double> gradient(model->getParameters().size());
        double logQ, penalty;
        reference.addParameterGradient(joint[k].data_ptr<double>(), 1, 0.7, logQ, penalty, gradient.data());
        EXPECT_EQ(penalty, 0);
        expected.push_back(at::tensor(gradient));
        found.push_back(differentiate(module->logDensity(parameters, joint.narrow(0, k, 1)), parameters));
    }
    expectSameGradients(at::stack(found), at::stack(expected));
}

TEST_P(AugmentedModuleTest, LogDensityIsThatOfTheMap) {
    expectDensityOfTheMap(*module, *model, parameters, drawBase(40));
}

TEST_P(AugmentedModuleTest, ModelOfParametersIsTheSameModel) {
    EXPECT_EQ(flow->getHash(), Flow(module->createModel(parameters)).getHash());
}

INSTANTIATE_TEST_SUITE_P(Variants, AugmentedModuleTest, testing::ValuesIn(getAugmentedVariants()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
