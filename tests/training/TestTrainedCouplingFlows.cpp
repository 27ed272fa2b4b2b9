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
    const Flow flow = Flow::load(string(getenv("OPENMMFLOW_SOURCE_DIR")) + "/examples/" + GetParam()
                                 + "/flow-small.safetensors");
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
    const vector<double> expected = makeContext("CPU", "double").computeJointLogDensity(joint);
    auto expectClose = [&](const vector<double>& logQ) {
        const vector<double> errors = compare(logQ, expected);
        EXPECT_LT(findMedian(errors), 1e-4);
        EXPECT_LT(findQuantile(errors, 0.999), 5e-3);
    };
    expectClose(makeContext("CPU", "single").computeJointLogDensity(joint));
    const EquivariantCouplingModule module(model, at::kFloat);
    const Tensor composed = module.logDensity(module.getParameters(), toTensor(joint)).to(at::kDouble);
    expectClose({composed.data_ptr<double>(), composed.data_ptr<double>() + composed.numel()});
}

TEST_P(TrainedCouplingFlow, LogDensityIsThatOfTheMap) {
    const Tensor joint = toTensor(drawJoint(model->getNumParticles() < 10 ? 40 : 8));
    Tensor base = at::empty_like(joint);
    const ReferenceCouplingFlow reference(flow);
    for (int64_t k = 0; k < joint.size(0); k++)
        reference.invert(joint[k].data_ptr<double>(), base[k].data_ptr<double>());
    const EquivariantCouplingModule module(model, at::kDouble);
    expectDensityOfTheMap(module, *model, module.getParameters(), base);
}

INSTANTIATE_TEST_SUITE_P(Examples, TrainedCouplingFlow, testing::Values("dw4", "lj13"));

}  // namespace
