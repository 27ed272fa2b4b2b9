// Chains of flow moves, from flows that do not fit, converge to the Boltzmann distribution.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "FlowMoveChain.h"
#include "openmm/CustomBondForce.h"
#include "openmm/HarmonicBondForce.h"
#include "openmm/LangevinMiddleIntegrator.h"
#include "openmmflow/BatchedPotential.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace OpenMMFlow::tests::peroxide;

namespace {

/** Within 3.5 standard errors, of which there are 6 in each chain. */
void expectAgreement(const std::map<std::string, Series>& series,
                     const std::map<std::string, Observable>& observables, double largestError) {
    for (const auto& [name, observable] : observables) {
        const double error = series.at(name).getError();
        EXPECT_LT(error, largestError) << name;
        EXPECT_NEAR(series.at(name).getMean(), observable.exact, 3.5 * error) << name << " +- " << error;
    }
}

/** The platform, the number of proposals in each move, and whether energies are prepared. */
class FlowMoveChain : public testing::TestWithParam<std::tuple<const char*, int, bool>> {
protected:
    Platform& platform = Platform::getPlatformByName(std::get<0>(GetParam()));
    int numProposals = std::get<1>(GetParam());
    // CPU takes ten times as long for a step.
    bool isFast = platform.getName() == "Reference";
    // Much wider than the target in its lengths and angles.
    Flow flow = makeFlow(0.1, 1.3);
    std::unique_ptr<System> system = makeSystem();
    MonteCarloFlowMove* move = new MonteCarloFlowMove(flow, temperature, 1);

    void SetUp() override {
        move->setNumProposals(numProposals);
        move->setRandomNumberSeed(5);
        if (!std::get<2>(GetParam()))
            preventBatches(*system);
    }
};

TEST_P(FlowMoveChain, OfMovesAloneConvergesToTheTarget) {
    system->addForce(move);
    auto integrator = makeIdleIntegrator();
    Context context(*system, *integrator, platform);
    context.setPositions(getSample(flow, 0, Vec3(1, 2, 3)));
    const auto observables = getObservables();
    const int count = isFast ? 20000 : 8000;
    expectAgreement(runChain(context, count, 1, observables), observables, isFast ? 0.05 : 0.1);
    const FlowMoveStatistics& statistics = move->getStatistics(context);
    EXPECT_EQ(statistics.getNumAttempts(), count);
    EXPECT_GT(statistics.getAcceptance(), 0.02);
    EXPECT_LT(statistics.getAcceptance(), 0.7);
    EXPECT_GT(statistics.getNumOffSupport(), 0);
    EXPECT_EQ(statistics.getNumNotFinite(), 0);
}

TEST_P(FlowMoveChain, MixedWithDynamicsConvergesToTheTarget) {
    move->setFrequency(10);
    system->addForce(move);
    LangevinMiddleIntegrator integrator(temperature, 2, 0.0005);
    integrator.setRandomNumberSeed(3);
    Context context(*system, integrator, platform);
    context.setPositions(getSample(flow, 0));
    context.setVelocitiesToTemperature(temperature, 1);
    const auto observables = getObservables();
    const int count = isFast ? 8000 : 1000;
    expectAgreement(runChain(context, count, 10, observables), observables, isFast ? 0.05 : 0.1);
    EXPECT_EQ(move->getStatistics(context).getNumAttempts(), count);
}

TEST_P(FlowMoveChain, ProposalsWithoutAFiniteEnergyAreRejectedAndCounted) {
    auto* limit = new CustomBondForce("1e-9*sqrt(0.18-r)");
    limit->addBond(1, 2);
    system->addForce(limit);
    system->addForce(move);
    auto integrator = makeIdleIntegrator();
    Context context(*system, *integrator, platform);
    uint64_t sample = 0;
    do
        context.setPositions(getSample(flow, sample++));
    while (!std::isfinite(context.getState(State::Energy).getPotentialEnergy()));
    const auto observables = getObservables(0.18);
    expectAgreement(runChain(context, isFast ? 12000 : 5000, 1, observables), observables,
                    isFast ? 0.06 : 0.09);
    EXPECT_GT(move->getStatistics(context).getNumNotFinite(), 500);
}

INSTANTIATE_TEST_SUITE_P(Platforms, FlowMoveChain,
                         testing::Values(std::tuple("Reference", 1, true), std::tuple("Reference", 1, false),
                                         std::tuple("Reference", 4, true), std::tuple("Reference", 4, false),
                                         std::tuple("CPU", 1, false), std::tuple("CPU", 4, true)));

/** Positions of LangevinMiddle are far more exact than its velocities, and stay so: a leapfrog that began
 * with all of the Maxwell distribution would have stiff motions that are too hot by (omega dt/2)^2, 8 % here.
 */
TEST(FlowMoveChain, KeepsTheAccuracyOfLangevinMiddle) {
    auto system = makeSystem();
    system->addForce(makeMove(3));
    LangevinMiddleIntegrator integrator(temperature, 0.5, 0.001);
    integrator.setRandomNumberSeed(3);
    Context context(*system, integrator, Platform::getPlatformByName("Reference"));
    context.setPositions(getSample(makeFlow(), 0));
    context.setVelocitiesToTemperature(temperature, 1);
    auto stretch = [](double r) { return std::pow((r - bondOH) / widthOH, 2); };
    auto weight = [&](double r) { return r * r * std::exp(-0.5 * stretch(r)); };
    const double lower = bondOH - 8 * widthOH, upper = bondOH + 8 * widthOH,
                 exact = integrate(lower, upper, [&](double r) { return stretch(r) * weight(r); })
                         / integrate(lower, upper, weight);
    std::map<std::string, Observable> observables;
    for (int i : {0, 2})
        observables["bond " + std::to_string(i)] = {[=](const std::vector<double>& x) {
                                                        const Vec3 bond = atom(x, 0, i + 1) - atom(x, 0, i);
                                                        return stretch(std::sqrt(bond.dot(bond)));
                                                    },
                                                    exact};
    // Just before the next move, a quarter of a vibration after the last one.
    integrator.step(2);
    const std::map<std::string, Series> series = runChain(context, 200000, 3, observables);
    for (const auto& [name, observable] : observables) {
        const double error = series.at(name).getError();
        EXPECT_LT(error, 0.01);
        EXPECT_NEAR(series.at(name).getMean(), exact, 3 * error) << name << " +- " << error;
    }
}

/** Hydrogen peroxide bound to a particle that the moves leave in its place. */
TEST(FlowMoveChain, OfAPartOfTheSystemConvergesToTheConditionalDistribution) {
    const Flow flow = makeFlow();
    auto system = makeSystem();
    system->addParticle(12);
    auto* tether = new CustomBondForce("15*(1-cos(30*r))");
    tether->addBond(0, 4);
    tether->addBond(3, 4);
    system->addForce(tether);
    // The molecule is symmetric, so that the flow describes it from either end.
    const std::vector<int> particles = {3, 2, 1, 0};
    auto* move = new MonteCarloFlowMove(flow, temperature, 1, particles);
    move->setRandomNumberSeed(8);
    move->setNumProposals(2);
    system->addForce(move);
    const Vec3 center(3, -1, 2), other = center + Vec3(0.1, 0.05, 0);
    auto integrator = makeIdleIntegrator();
    Context context(*system, *integrator, Platform::getPlatformByName("Reference"));
    std::vector<Vec3> positions = getSample(flow, 0, center);
    std::reverse(positions.begin(), positions.end());
    positions.push_back(other);
    context.setPositions(positions);

    // The truth by importance sampling: positions beside the particle, weighted.
    const int count = 60000;
    std::vector<double> x, logQ;
    FlowContext(flow, Platform::getPlatformByName("CPU"), {{"Precision", "double"}})
        .sample(count, x, logQ, 99);
    std::vector<double> all;
    for (int k = 0; k < count; k++) {
        for (int particle : particles)
            for (int j = 0; j < 3; j++)
                all.push_back(x[12 * k + 3 * particle + j] + center[j]);
        for (int j = 0; j < 3; j++)
            all.push_back(other[j]);
    }
    auto target = makeSystem();
    target->addParticle(12);
    target->addForce(new CustomBondForce(*tether));
    const std::vector<double> energies =
        BatchedPotential(*target, Platform::getPlatformByName("Reference")).computeEnergies(all);
    const std::map<std::string, std::function<double(const std::vector<double>&)>> functions = {
        {"distance", [&](const std::vector<double>& y) { return (atom(y, 0, 0) + center - other)[0]; }},
        {"height", [](const std::vector<double>& y) { return atom(y, 0, 3)[2]; }},
        {"cos phi", [](const std::vector<double>& y) { return std::cos(measureTorsion(y, 0)); }},
        {"product", [&](const std::vector<double>& y) {
             const Vec3 a = atom(y, 0, 0) + center - other, b = atom(y, 0, 3) + center - other;
             return std::sqrt(a.dot(a) * b.dot(b));
         }}};
    std::map<std::string, Observable> observables;
    std::map<std::string, double> errors;
    double largest = -INFINITY;
    for (int k = 0; k < count; k++)
        if (std::isfinite(logQ[k]))
            largest = std::max(largest, -energies[k] / kT - logQ[k]);
    for (const auto& [name, function] : functions) {
        double sum = 0, sumOfWeights = 0, sumOfSquares = 0;
        std::vector<double> weights, values;
        for (int k = 0; k < count; k++) {
            weights.push_back(std::isfinite(logQ[k]) ? std::exp(-energies[k] / kT - logQ[k] - largest) : 0);
            values.push_back(function({x.begin() + 12 * k, x.begin() + 12 * (k + 1)}));
            sumOfWeights += weights[k];
            sum += weights[k] * values[k];
        }
        for (int k = 0; k < count; k++)
            sumOfSquares += std::pow(weights[k] * (values[k] - sum / sumOfWeights), 2);
        errors[name] = std::sqrt(sumOfSquares) / sumOfWeights;
        observables[name] = {[function, center](const std::vector<double>& y) {
                                 std::vector<double> relative = y;
                                 for (size_t i = 0; i < y.size(); i++)
                                     relative[i] -= center[i % 3];
                                 return function(relative);
                             },
                             sum / sumOfWeights};
    }
    const auto series = runChain(context, 20000, 1, observables, particles);
    double largestShift = 0;
    for (const auto& [name, observable] : observables) {
        const double error = std::hypot(series.at(name).getError(), errors[name]);
        EXPECT_NEAR(series.at(name).getMean(), observable.exact, 3.5 * error) << name << " +- " << error;
        largestShift = std::max(largestShift, std::abs(observable.exact) / error);
    }
    // The particle matters: without it the averages of coordinates would be zero.
    EXPECT_GT(largestShift, 20);
    const State state = context.getState(State::Positions);
    EXPECT_EQ(state.getPositions()[4], other);
    Vec3 found;
    for (int i = 0; i < 4; i++)
        found += 0.25 * state.getPositions()[i];
    for (int j = 0; j < 3; j++)
        EXPECT_NEAR(found[j], center[j], 1e-9);
}

}  // namespace
