// The gradient of the parameters of augmented flows, against the Reference platform, whose gradient is tested
// against differences and against Torch.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "CpuPlatforms.h"
#include "RandomCouplingFlow.h"
#include "openmm/Kernel.h"
#include "openmmflow/FlowContext.h"
#include "openmmflow/FlowKernels.h"
#include "openmmflow/internal/HiddenContext.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace std;

namespace {

struct Results {
    vector<double> logQ, penalty, gradient;
};

/** The kernel of a platform. */
class GradientKernel {
public:
    GradientKernel(const Flow& flow, const string& name, const map<string, string>& properties)
        : platform(Platform::getPlatformByName(name)),
          context(platform),
          kernel(platform.createKernel(FlowGradientKernel::Name(), context.getImpl())),
          model(dynamic_cast<const CouplingModel&>(flow.getModel())),
          size(3 * model.getNumParticles() * model.getNumClouds()) {
        get().initialize(flow, properties);
        get().setParameters(model.getParameters());
    }
    FlowGradientKernel& get() { return kernel.getAs<FlowGradientKernel>(); }
    Results compute(const vector<double>& positions, const vector<double>& worth, double penaltyWorth) {
        const size_t count = positions.size() / size;
        Results results{vector<double>(count), vector<double>(count),
                        vector<double>(model.getParameters().size())};
        get().compute(count, positions.data(), worth.data(), penaltyWorth, results.logQ.data(),
                      results.penalty.data(), results.gradient.data());
        return results;
    }

private:
    Platform& platform;
    HiddenContext context;
    Kernel kernel;
    const CouplingModel& model;
    size_t size;
};

double normOf(const vector<double>& x) {
    double sum = 0;
    for (double value : x)
        sum += value * value;
    return sqrt(sum);
}

double distanceOf(vector<double> a, const vector<double>& b) {
    for (size_t i = 0; i < a.size(); i++)
        a[i] -= b[i];
    return normOf(a);
}

using PlatformAndVariant = tuple<tests::PlatformUnderTest, CouplingVariant>;

class FlowGradientKernelTest : public testing::TestWithParam<PlatformAndVariant> {
protected:
    const tests::PlatformUnderTest& platform = get<0>(GetParam());
    const bool isDouble = platform.properties.at("Precision") == "double";
    const Flow flow = makeFlow(7);
    GradientKernel kernel{flow, platform.platform, platform.properties};
    const double penaltyWorth = 0.3;

    Flow makeFlow(unsigned seed) const {
        return makeRandomCouplingFlow(get<1>(GetParam()), seed, isDouble ? 1 : 0.3);
    }
    /** Samples at which log q is finite: there is no gradient elsewhere. */
    static vector<vector<double>> draw(const Flow& flow, int count) {
        FlowContext context(flow, Platform::getPlatformByName("Reference"));
        vector<double> positions, logQ;
        context.sampleJoint(2 * count + 10, positions, logQ, 5);
        const size_t size = positions.size() / logQ.size();
        vector<vector<double>> samples;
        for (size_t k = 0; k < logQ.size() && (int)samples.size() < count; k++)
            if (isfinite(logQ[k]))
                samples.emplace_back(&positions[k * size], &positions[k * size] + size);
        return samples;
    }
    static vector<double> join(const vector<vector<double>>& samples) {
        vector<double> all;
        for (const auto& sample : samples)
            all.insert(all.end(), sample.begin(), sample.end());
        return all;
    }
    static vector<double> makeWorth(int count) {
        vector<double> worth;
        for (int k = 0; k < count; k++)
            worth.push_back(1.5 * cos(k));
        return worth;
    }
};

string nameOf(const testing::TestParamInfo<PlatformAndVariant>& info) {
    return describe(get<0>(info.param)) + "_" + get<1>(info.param).name;
}

}  // namespace

TEST_P(FlowGradientKernelTest, EqualsReferencePlatform) {
    GradientKernel truth{flow, "Reference", {}};
    vector<double> logErrors, penaltyErrors, errors;
    for (const auto& sample : draw(flow, 25)) {
        const Results found = kernel.compute(sample, {1.5}, penaltyWorth),
                      expected = truth.compute(sample, {1.5}, penaltyWorth);
        logErrors.push_back(fabs(found.logQ[0] - expected.logQ[0]));
        penaltyErrors.push_back(fabs(found.penalty[0] - expected.penalty[0]));
        errors.push_back(distanceOf(found.gradient, expected.gradient) / normOf(expected.gradient));
    }
    // Random flows have some samples in frames that are almost undefined.
    for (const auto& [values, median] :
         {pair{logErrors, 1e-11}, pair{penaltyErrors, 1e-11}, pair{errors, 1e-10}}) {
        EXPECT_LT(tests::findMedian(values), isDouble ? median : 5e-3);
        EXPECT_LT(tests::findQuantile(values, 0.8), isDouble ? 1e3 * median : 0.1);
    }
}

TEST_P(FlowGradientKernelTest, OfManySamplesIsTheSum) {
    // Less than a block of samples for each thread, and more.
    for (int count : {21, 75}) {
        const auto samples = draw(flow, count);
        const vector<double> worth = makeWorth(count);
        const Results together = kernel.compute(join(samples), worth, penaltyWorth);
        vector<double> sum(together.gradient.size()), errors;
        double size = 0;
        for (int k = 0; k < count; k++) {
            const Results one = kernel.compute(samples[k], {worth[k]}, penaltyWorth);
            errors.push_back(fabs(one.logQ[0] - together.logQ[k]));
            errors.push_back(fabs(one.penalty[0] - together.penalty[k]));
            for (size_t i = 0; i < sum.size(); i++)
                sum[i] += one.gradient[i];
            size += normOf(one.gradient);
        }
        // One sample goes another way than many, which a few random ones are ill-conditioned for.
        EXPECT_LT(tests::findMedian(errors), isDouble ? 1e-11 : 5e-3);
        EXPECT_LT(distanceOf(sum, together.gradient), (isDouble ? 1e-7 : 1e-2) * size);
    }
}

TEST_P(FlowGradientKernelTest, OfManySamplesIsTheSumOfItsParts) {
    // No part, and no rest of one beside whole blocks, is so small that its samples go one by one.
    const int count = 60, part = 20;
    const auto samples = draw(flow, count);
    const vector<double> worth = makeWorth(count);
    const Results together = kernel.compute(join(samples), worth, penaltyWorth);
    vector<double> sum(together.gradient.size());
    double size = 0;
    for (int first = 0; first < count; first += part) {
        const auto begin = samples.begin() + first;
        const Results some =
            kernel.compute(join({begin, begin + part}), {&worth[first], &worth[first] + part}, penaltyWorth);
        for (int k = 0; k < part; k++) {
            EXPECT_EQ(some.logQ[k], together.logQ[first + k]);
            EXPECT_EQ(some.penalty[k], together.penalty[first + k]);
        }
        for (size_t i = 0; i < sum.size(); i++)
            sum[i] += some.gradient[i];
        size += normOf(some.gradient);
    }
    EXPECT_LT(distanceOf(sum, together.gradient), (isDouble ? 1e-13 : 1e-5) * size);
}

TEST_P(FlowGradientKernelTest, IsTheSameOnEachRunAndLeavesNothingBehind) {
    const vector<double> positions = join(draw(flow, 40)), worth = makeWorth(40);
    const Results first = kernel.compute(positions, worth, 0);
    EXPECT_EQ(0, normOf(first.penalty));
    kernel.compute(join(draw(flow, 3)), {1, 2, 3}, 1);
    EXPECT_EQ(first.gradient, kernel.compute(positions, worth, 0).gradient);
}

TEST_P(FlowGradientKernelTest, TakesOtherParameters) {
    const Flow other = makeFlow(8);
    const vector<double> positions = join(draw(other, 9)), worth = makeWorth(9);
    GradientKernel same{other, platform.platform, platform.properties};
    kernel.get().setParameters(dynamic_cast<const CouplingModel&>(other.getModel()).getParameters());
    const Results found = kernel.compute(positions, worth, penaltyWorth),
                  expected = same.compute(positions, worth, penaltyWorth);
    EXPECT_EQ(expected.logQ, found.logQ);
    EXPECT_EQ(expected.gradient, found.gradient);
}

INSTANTIATE_TEST_SUITE_P(Variants, FlowGradientKernelTest,
                         testing::Combine(testing::ValuesIn(getCpuPlatforms()),
                                          testing::ValuesIn(getCouplingVariants())),
                         nameOf);
