// A wrong log q is found out: with 0.5 cos phi added to it, the chain of moves that agrees with the target
// without it does not, and samples the distribution that the wrong weights define.

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>

#include "FlowMoveChain.h"
#include "openmm/KernelFactory.h"
#include "openmm/internal/ContextImpl.h"
#include "openmmflow/FlowKernels.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace OpenMMFlow::tests::peroxide;

namespace {

double tilt = 0;

/** The flow kernel of the Reference platform with tilt * cos(phi) added to log q. */
class TiltedFlowKernel : public FlowKernel {
public:
    TiltedFlowKernel(const std::string& name, const Platform& platform, ContextImpl& context)
        : FlowKernel(name, platform),
          kernel(Platform::getPlatformByName("Reference").createKernel(FlowKernel::Name(), context)) {}
    void initialize(const Flow& flow, const std::map<std::string, std::string>& properties) override {
        get().initialize(flow, {});
    }
    std::map<std::string, std::string> getProperties() const override { return {{"Precision", "double"}}; }
    void sample(long long count, uint64_t seed, uint64_t first, double* positions, double* logQ) override {
        get().sample(count, seed, first, positions, logQ);
        add(count, positions, logQ);
    }
    void computeLogDensity(long long count, const double* positions, double* logQ) override {
        get().computeLogDensity(count, positions, logQ);
        add(count, positions, logQ);
    }
    void computeLogDensityGradient(long long count, const double* positions, double* logQ,
                                   double* gradient) override {
        throw OpenMMException("Moves need no gradient.");
    }

private:
    FlowKernel& get() { return kernel.getAs<FlowKernel>(); }
    static void add(long long count, const double* positions, double* logQ) {
        const std::vector<double> x(positions, positions + 12 * count);
        for (long long k = 0; k < count; k++)
            logQ[k] += tilt * std::cos(measureTorsion(x, k));
    }
    Kernel kernel;
};

class TiltedKernelFactory : public KernelFactory {
public:
    KernelImpl* createKernelImpl(std::string name, const Platform& platform,
                                 ContextImpl& context) const override {
        return new TiltedFlowKernel(name, platform, context);
    }
};

std::map<std::string, Series> runTilted(double amplitude, int numProposals,
                                        const std::map<std::string, Observable>& observables) {
    // The kernel on the fastest platform is the one that moves take. A Platform owns the last factory of a
    // kernel.
    static const bool registered = [] {
        Platform::getPlatformByName("CPU").registerKernelFactory(FlowKernel::Name(),
                                                                 new TiltedKernelFactory());
        return true;
    }();
    EXPECT_TRUE(registered);
    tilt = amplitude;
    const Flow flow = makeFlow();
    auto system = makeSystem();
    auto* move = new MonteCarloFlowMove(flow, temperature, 1);
    move->setRandomNumberSeed(11);
    move->setNumProposals(numProposals);
    system->addForce(move);
    auto integrator = makeIdleIntegrator();
    Context context(*system, *integrator, Platform::getPlatformByName("Reference"));
    context.setPositions(getSample(flow, 0));
    return runChain(context, 10000, 1, observables);
}

double getDeviation(Series& series, const Observable& observable) {
    return std::abs(series.getMean() - observable.exact) / series.getError();
}

class FlowMoveTilt : public testing::TestWithParam<int> {};

TEST_P(FlowMoveTilt, IsFoundOut) {
    const auto observables = getObservables();
    auto right = runTilted(0, GetParam(), observables);
    for (const auto& [name, observable] : observables)
        EXPECT_LT(getDeviation(right[name], observable), 3.5) << name;
    auto wrong = runTilted(0.5, GetParam(), observables);
    EXPECT_GT(getDeviation(wrong["cos phi"], observables.at("cos phi")), 10);
    const auto tilted = getObservables(0.5, 0.5);
    for (const auto& [name, observable] : tilted)
        EXPECT_LT(getDeviation(wrong[name], observable), 3.5) << name;
}

INSTANTIATE_TEST_SUITE_P(Proposals, FlowMoveTilt, testing::Values(1, 4));

}  // namespace
