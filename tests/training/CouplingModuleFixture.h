#ifndef OPENMMFLOW_TESTS_COUPLINGMODULEFIXTURE_H_
#define OPENMMFLOW_TESTS_COUPLINGMODULEFIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include "../../platforms/reference/src/ReferenceCouplingFlow.h"
#include "FlowKernelFixture.h"
#include "RandomCouplingFlow.h"
#include "openmmflow/FlowContext.h"

namespace OpenMMFlow::tests {

template <class Model>
std::shared_ptr<const Model> getModel(const Flow& flow) {
    return std::make_shared<Model>(dynamic_cast<const Model&>(flow.getModel()));
}

inline at::Tensor differentiate(const at::Tensor& value, const at::Tensor& variable) {
    return torch::autograd::grad({value}, {variable}, {}, true)[0];
}

/** Compare numbers of samples. In random flows the axes of a few frames are so nearly collinear that
 * round-off grows by orders of magnitude. */
inline void expectSmall(const at::Tensor& errors, double median) {
    const at::Tensor sizes = errors.abs().contiguous();
    const std::vector<double> values(sizes.data_ptr<double>(), sizes.data_ptr<double>() + sizes.numel());
    EXPECT_LT(findMedian(values), median);
    EXPECT_LT(findQuantile(values, 0.95), 100 * median);
}

/** (B, ...) */
inline void expectSameGradients(const at::Tensor& found, const at::Tensor& expected) {
    const at::Tensor difference = (found - expected).flatten(1), size = expected.flatten(1).norm(2, {1});
    expectSmall(difference.norm(2, {1}) / size, 1e-10);
}

inline double largest(const at::Tensor& x) {
    return x.abs().max().item<double>();
}

/** A random flow as a module, and on the Reference platform. */
template <class Module, class Model>
class CouplingModuleFixture : public testing::TestWithParam<CouplingVariant> {
protected:
    /** A gentler one in single precision: few trained flows are as ill-conditioned as random ones. */
    void make(double size = 1) {
        flow = std::make_unique<Flow>(makeRandomCouplingFlow(GetParam(), 3, size));
        model = getModel<Model>(*flow);
        context = std::make_unique<FlowContext>(*flow, OpenMM::Platform::getPlatformByName("Reference"));
        module = std::make_unique<Module>(model, at::kDouble);
        parameters = module->getParameters();
    }
    CouplingModuleFixture() {
        // Threads only cost time with arrays this small.
        at::set_num_threads(1);
        make();
    }
    at::Tensor toTensor(const std::vector<double>& positions) const {
        return at::tensor(positions).view({-1, model->getNumParticles() * model->getNumClouds(), 3});
    }
    std::vector<double> toVector(const at::Tensor& x) const {
        const at::Tensor flat = x.contiguous();
        return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
    }
    /** (B, N+A, 3): samples of the flow. */
    at::Tensor drawJoint(int64_t count) const {
        std::vector<double> positions, logQ;
        context->sampleJoint(count, positions, logQ, 3);
        const at::Tensor isFinite = at::isfinite(at::tensor(logQ));
        EXPECT_GT(isFinite.sum().item<int64_t>(), 0.9 * count);
        return toTensor(positions).index({isFinite});
    }
    /** (B, N+A, 3): the configurations of the base that become samples of the flow. */
    at::Tensor drawBase(int64_t count) const {
        const at::Tensor joint = drawJoint(count);
        at::Tensor base = at::empty_like(joint);
        const ReferenceCouplingFlow reference(*flow);
        for (int64_t k = 0; k < joint.size(0); k++)
            reference.invert(joint[k].data_ptr<double>(), base[k].data_ptr<double>());
        return base;
    }
    at::Tensor shift(const at::Tensor& joint) const {
        at::manual_seed(1);
        return joint + model->getOptions().lengthUnit * at::randn({joint.size(0), 1, 3}, at::kDouble);
    }
    std::unique_ptr<Flow> flow;
    std::shared_ptr<const Model> model;
    std::unique_ptr<FlowContext> context;
    std::unique_ptr<Module> module;
    at::Tensor parameters;
};

}  // namespace OpenMMFlow::tests

#endif /*OPENMMFLOW_TESTS_COUPLINGMODULEFIXTURE_H_*/
