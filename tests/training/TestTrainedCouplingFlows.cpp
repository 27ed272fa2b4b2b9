// The trained flows of the examples, on the Reference and CPU platforms and as Torch operations: the same log
// q, and that of the map.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "CouplingMap.h"
#include "EquivariantCouplingModule.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace std;
using at::Tensor;

namespace {

class TrainedCouplingFlow : public testing::TestWithParam<string> {
protected:
    TrainedCouplingFlow() { at::set_num_threads(1); }
    FlowContext makeContext(const string& platform, const string& precision) const {
        const map<string, string> properties =
            platform == "CPU" ? map<string, string>{{"Precision", precision}} : map<string, string>();
        return FlowContext(flow, Platform::getPlatformByName(platform), properties);
    }
    Tensor toTensor(const vector<double>& positions) const {
        return at::tensor(positions).view({-1, 2 * model->getNumParticles(), 3});
    }
    vector<double> drawJoint(int count) const {
        vector<double> positions, logQ;
        makeContext("CPU", "double").sampleJoint(count, positions, logQ, 5);
        return positions;
    }
    /** The errors of log q of samples. */
    vector<double> compare(const vector<double>& a, const vector<double>& b) const {
        vector<double> errors;
        for (size_t k = 0; k < a.size(); k++)
            errors.push_back(fabs(a[k] - b[k]));
        return errors;
    }
    /** Of log q in single precision. */
    void expectClose(const vector<double>& found, const vector<double>& expected, double median,
                     double tail) const {
        const vector<double> errors = compare(found, expected);
        EXPECT_LT(findMedian(errors), median);
        EXPECT_LT(findQuantile(errors, 0.999), tail);
    }
    const Flow flow =
        Flow::load(string(getenv("OPENMMFLOW_SOURCE_DIR")) + "/examples/" + GetParam() + ".safetensors");
    const shared_ptr<const EquivariantCouplingModel> model = getModel<EquivariantCouplingModel>(flow);
};

TEST_P(TrainedCouplingFlow, LogDensityIsTheSameEverywhere) {
    const vector<double> joint = drawJoint(100);
    const vector<double> expected = makeContext("Reference", "double").computeJointLogDensity(joint);
    const EquivariantCouplingModule module(model, at::kDouble);
    const Tensor composed = module.logDensity(module.getParameters(), toTensor(joint));
    EXPECT_LT(largest(composed - at::tensor(expected)), 1e-9);
    const vector<double> errors =
        compare(makeContext("CPU", "double").computeJointLogDensity(joint), expected);
    EXPECT_LT(findQuantile(errors, 1), 1e-9);
}

TEST_P(TrainedCouplingFlow, SinglePrecisionIsClose) {
    const vector<double> joint = drawJoint(1000);
    FlowContext context = makeContext("CPU", "single");
    expectClose(context.computeJointLogDensity(joint),
                makeContext("CPU", "double").computeJointLogDensity(joint), 1e-4, 5e-3);
    vector<double> drawn, logQ;
    context.sampleJoint(1000, drawn, logQ, 6);
    expectClose(context.computeJointLogDensity(drawn), logQ, 1e-4, 5e-3);
}

/** Flows of particles without bonds, which the composition maps in single precision, too. */
class TrainedParticleFlow : public TrainedCouplingFlow {};

TEST_P(TrainedParticleFlow, SinglePrecisionIsAsCloseAsItsNetworks) {
    const vector<double> joint = drawJoint(1000);
    const vector<double> expected = makeContext("CPU", "double").computeJointLogDensity(joint);
    // Maps in single precision made errors of 6e-5 and 7e-4.
    expectClose(makeContext("CPU", "single").computeJointLogDensity(joint), expected, 1e-5, 1e-4);
    const EquivariantCouplingModule module(model, at::kFloat);
    const Tensor composed = module.logDensity(module.getParameters(), toTensor(joint)).to(at::kDouble);
    expectClose({composed.data_ptr<double>(), composed.data_ptr<double>() + composed.numel()}, expected, 1e-4,
                5e-3);
}

TEST_P(TrainedParticleFlow, LogDensityIsThatOfTheMap) {
    const Tensor joint = toTensor(drawJoint(model->getNumParticles() < 10 ? 40 : 8));
    Tensor base = at::empty_like(joint);
    const ReferenceCouplingFlow reference(flow);
    for (int64_t k = 0; k < joint.size(0); k++)
        reference.invert(joint[k].data_ptr<double>(), base[k].data_ptr<double>());
    const EquivariantCouplingModule module(model, at::kDouble);
    expectDensityOfTheMap(module, *model, module.getParameters(), base);
}

const auto particleFlows = testing::Values("dw4/flow-small", "lj13/flow-small");

INSTANTIATE_TEST_SUITE_P(Particles, TrainedCouplingFlow, particleFlows);
INSTANTIATE_TEST_SUITE_P(Particles, TrainedParticleFlow, particleFlows);
INSTANTIATE_TEST_SUITE_P(Molecule, TrainedCouplingFlow,
                         testing::Values("alanine-dipeptide/vacuum/flow-equivariant-small"));

}  // namespace
