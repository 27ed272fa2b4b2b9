// The multipliers of constrained mass transport, where all densities are Gaussian and known.

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "ConstrainedTransport.h"
#include "ReplicaNoise.h"

using namespace OpenMMFlow;
using namespace std;

namespace {

constexpr int D = 3;

/** Independent coordinates with one centre and one precision (inverse variance). */
struct Gaussian {
    double center, precision;

    double getEntropy() const { return 0.5 * D * log(2 * M_PI * M_E / precision); }
    double getDivergence(const Gaussian& other) const {
        const double ratio = other.precision / precision, shift = center - other.center;
        return 0.5 * D * (ratio - 1 - log(ratio) + other.precision * shift * shift);
    }
};

const Gaussian flow = {0, 1}, target = {0.8, 16};

/** Proportional to q^a p^b. */
Gaussian mix(const IntermediateTarget& r) {
    const double fromFlow = r.flowExponent * flow.precision, fromTarget = r.targetExponent * target.precision;
    return {(fromFlow * flow.center + fromTarget * target.center) / (fromFlow + fromTarget),
            fromFlow + fromTarget};
}

/** Samples of the flow. */
class ConstrainedTransportTest : public testing::Test {
protected:
    ConstrainedTransportTest() {
        const int count = 100000;
        for (int k = 0; k < count; k++) {
            vector<double> x(D);
            drawNormals(makeReplicaKey(1, k), 0, shared::NoiseStream::Normal, D, x.data());
            double fromFlow = 0.5 * D * log(flow.precision / (2 * M_PI)), fromTarget = 7;
            for (double value : x) {
                fromFlow -= 0.5 * flow.precision * pow(value - flow.center, 2);
                fromTarget -= 0.5 * target.precision * pow(value - target.center, 2);
            }
            logQ.push_back(fromFlow);
            logP.push_back(fromTarget);
        }
    }
    IntermediateTarget solve(double trustRegion, double entropyDecay) const {
        return ConstrainedTransport(logQ, logP).solve(trustRegion, entropyDecay);
    }
    vector<double> logQ, logP;
};

}  // namespace

TEST_F(ConstrainedTransportTest, MeasuresWhatIsKnown) {
    for (const IntermediateTarget& r : {IntermediateTarget{0.7, 0.05}, {0.9, 0.1}, {0, 0.06}, {1, 0}}) {
        const auto found = ConstrainedTransport(logQ, logP).measure(r);
        EXPECT_NEAR(found.divergence, mix(r).getDivergence(flow), 0.02);
        EXPECT_NEAR(found.entropyDecay, flow.getEntropy() - mix(r).getEntropy(), 0.02);
    }
}

TEST_F(ConstrainedTransportTest, KeepsTheTrustRegion) {
    const IntermediateTarget r = solve(0.25, 0);
    EXPECT_NEAR(mix(r).getDivergence(flow), 0.25, 0.01);
    EXPECT_NEAR(r.flowExponent + r.targetExponent, 1, 1e-12) << "on the geometric path";
    EXPECT_GT(r.targetExponent, 0.01);
}

TEST_F(ConstrainedTransportTest, KeepsTheEntropy) {
    // So far away that the other bound does not matter.
    const IntermediateTarget r = solve(50, 0.3);
    EXPECT_NEAR(flow.getEntropy() - mix(r).getEntropy(), 0.3, 0.02);
    EXPECT_NEAR(r.flowExponent, 0, 1e-12) << "the target at another temperature";
}

TEST_F(ConstrainedTransportTest, KeepsBoth) {
    const IntermediateTarget r = solve(0.25, 0.1);
    EXPECT_NEAR(mix(r).getDivergence(flow), 0.25, 0.01);
    EXPECT_NEAR(flow.getEntropy() - mix(r).getEntropy(), 0.1, 0.01);
    EXPECT_GT(flow.getEntropy() - mix(solve(0.25, 0)).getEntropy(), 0.15) << "both are needed";
    EXPECT_GT(mix(solve(50, 0.1)).getDivergence(flow), 0.35) << "both are needed";
    // No other mixture that keeps both is nearer to the target.
    const double nearest = mix(r).getDivergence(target);
    for (double a = 0; a < 1; a += 0.01)
        for (double b = 0.005; b < 1; b += 0.005) {
            const Gaussian other = mix({a, b});
            if (other.getDivergence(flow) < 0.245 && flow.getEntropy() - other.getEntropy() < 0.095) {
                EXPECT_GT(other.getDivergence(target), nearest) << a << " " << b;
            }
        }
}

TEST_F(ConstrainedTransportTest, ReachesTheTargetThatIsNear) {
    for (size_t k = 0; k < logP.size(); k++)
        logP[k] = logQ[k] + 0.01 * (logP[k] - logQ[k]);
    const IntermediateTarget r = solve(0.25, 0.5);
    EXPECT_EQ(r.flowExponent, 0);
    EXPECT_EQ(r.targetExponent, 1);
}
