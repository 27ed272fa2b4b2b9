// The energy and the forces of a flow inside a Context, against FlowContext and finite differences.

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "ExpectContextError.h"
#include "RandomFlow.h"
#include "openmm/Context.h"
#include "openmm/HarmonicBondForce.h"
#include "openmm/OpenMMException.h"
#include "openmm/VerletIntegrator.h"
#include "openmm/reference/SimTKOpenMMRealType.h"
#include "openmmflow/BoltzmannGeneratorForce.h"
#include "openmmflow/FlowContext.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;

namespace {

const double temperature = 320, kT = BOLTZ * temperature;
const int numParticles = 8;
/** Where the flow's particles are among those of the System. */
const std::vector<int> particles = {6, 2, 3, 0, 7};

/** A flow with one free torsion and one that keeps its hand. */
Flow makeFlow(unsigned seed = 3) {
    return makeRandomFlow((int)particles.size(), InternalFlowModel::Activation::SiLU, seed);
}

std::unique_ptr<System> makeSystem() {
    auto system = std::make_unique<System>();
    for (int i = 0; i < numParticles; i++)
        system->addParticle(1.0 + i);
    auto* bonds = new HarmonicBondForce();
    bonds->addBond(1, 4, 0.1, 1000);
    bonds->addBond(4, 6, 0.5, 1000);
    system->addForce(bonds);
    return system;
}

class BoltzmannForce : public testing::TestWithParam<const char*> {
protected:
    std::unique_ptr<Context> makeContext() {
        integrators.push_back(std::make_unique<VerletIntegrator>(0.001));
        return std::make_unique<Context>(*system, *integrators.back(), platform);
    }
    /** Put the flow's particles where its samples are, somewhere in space, and the others beside them. */
    std::vector<Vec3> place(int sample) {
        std::vector<Vec3> positions(numParticles);
        for (int i = 0; i < numParticles; i++)
            positions[i] = Vec3(0.3 * i, 0.1, -0.7);
        for (size_t i = 0; i < particles.size(); i++) {
            const double* x = &samples[3 * (particles.size() * sample + i)];
            positions[particles[i]] = Vec3(x[0] + 0.5, x[1] - 0.2, x[2] + 0.1);
        }
        return positions;
    }
    static double computeEnergy(Context& context, const std::vector<Vec3>& positions, int groups = -1) {
        context.setPositions(positions);
        return context.getState(State::Energy, false, groups).getPotentialEnergy();
    }

    Platform& platform = Platform::getPlatformByName(GetParam());
    Flow flow = makeFlow();
    FlowContext reference{flow, Platform::getPlatformByName("Reference")};
    std::vector<double> samples, logQ;
    std::unique_ptr<System> system = makeSystem();
    std::vector<std::unique_ptr<Integrator>> integrators;

    /** Keep the first 40 that lie on the flow's support. */
    void SetUp() override {
        std::vector<double> x, all;
        reference.sample(80, x, all, 1);
        for (size_t k = 0; k < all.size() && logQ.size() < 40; k++)
            if (std::isfinite(all[k])) {
                logQ.push_back(all[k]);
                samples.insert(samples.end(), &x[15 * k], &x[15 * k] + 15);
            }
        ASSERT_EQ(logQ.size(), 40u);
    }
    BoltzmannGeneratorForce* addForce(const Flow& added, int group = 3) {
        auto* force = new BoltzmannGeneratorForce(added, particles, temperature);
        force->setForceGroup(group);
        system->addForce(force);
        return force;
    }
};

TEST_P(BoltzmannForce, EnergyIsThatOfTheFlow) {
    addForce(flow);
    auto context = makeContext();
    EXPECT_EQ(context->getParameter(BoltzmannGeneratorForce::Scale()), 1);
    for (double scale : {1.0, 0.3, 0.0, -2.0}) {
        context->setParameter(BoltzmannGeneratorForce::Scale(), scale);
        for (int k = 0; k < 10; k++)
            EXPECT_NEAR(computeEnergy(*context, place(k), 1 << 3), -scale * kT * logQ[k], 1e-6);
    }
}

TEST_P(BoltzmannForce, ForcesAreTheGradientOfTheEnergy) {
    addForce(flow);
    auto context = makeContext();
    const double scale = 0.7, step = 1e-8;
    context->setParameter(BoltzmannGeneratorForce::Scale(), scale);
    int numChecked = 0, numAtKnots = 0;
    for (int k = 0; k < 40; k++) {
        const std::vector<Vec3> positions = place(k);
        context->setPositions(positions);
        const State state = context->getState(State::Energy | State::Forces, false, 1 << 3);
        for (int i = 0; i < numParticles; i++)
            for (int j = 0; j < 3; j++) {
                std::vector<Vec3> moved = positions;
                moved[i][j] += step;
                const double up = computeEnergy(*context, moved, 1 << 3);
                moved[i][j] = positions[i][j] - step;
                const double down = computeEnergy(*context, moved, 1 << 3);
                const double left = (state.getPotentialEnergy() - down) / step,
                             right = (up - state.getPotentialEnergy()) / step;
                // Splines have a kink at each knot, which a stencil may straddle.
                if (std::abs(left - right) > 0.5 + 1e-3 * std::abs(left)) {
                    numAtKnots++;
                    continue;
                }
                numChecked++;
                const double force = state.getForces()[i][j];
                EXPECT_NEAR(force, -0.5 * (left + right), 1e-2 + 1e-5 * std::abs(force)) << k << " " << i;
            }
        for (int other : {1, 4, 5})
            EXPECT_EQ(state.getForces()[other], Vec3());
    }
    EXPECT_GT(numChecked, 100 * numAtKnots);
}

TEST_P(BoltzmannForce, TheStateHasTheDerivativeWithRespectToTheScale) {
    addForce(flow);
    const Flow second = makeFlow(9);
    addForce(second, 4)->setScaleParameterName("other");
    // Shares the scale of the first.
    addForce(flow, 5);
    auto context = makeContext();
    FlowContext secondReference(second, Platform::getPlatformByName("Reference"));
    for (double scale : {0.4, 0.0}) {
        context->setParameter(BoltzmannGeneratorForce::Scale(), scale);
        context->setPositions(place(2));
        const std::vector<double> x(&samples[2 * 15], &samples[3 * 15]);
        auto derivatives = context->getState(State::ParameterDerivatives).getEnergyParameterDerivatives();
        EXPECT_NEAR(derivatives.at(BoltzmannGeneratorForce::Scale()), -2 * kT * logQ[2], 1e-6);
        EXPECT_NEAR(derivatives.at("other"), -kT * secondReference.computeLogDensity(x)[0], 1e-6);
        // Of the chosen groups only, and not accumulated from one call to the next.
        derivatives =
            context->getState(State::ParameterDerivatives, false, 1 << 5).getEnergyParameterDerivatives();
        EXPECT_NEAR(derivatives.at(BoltzmannGeneratorForce::Scale()), -kT * logQ[2], 1e-6);
        EXPECT_EQ(derivatives.at("other"), 0);
    }
}

TEST_P(BoltzmannForce, SeveralForcesAddUp) {
    addForce(flow, 1);
    const Flow second = makeFlow(9);
    auto* force = addForce(second, 2);
    force->setScaleParameterName("lambda");
    force->setDefaultScale(0.25);
    auto context = makeContext();
    EXPECT_EQ(context->getParameter("lambda"), 0.25);
    context->setPositions(place(4));
    std::vector<Vec3> sum(numParticles);
    double energy = 0;
    for (int group : {0, 1, 2}) {
        const State part = context->getState(State::Energy | State::Forces, false, 1 << group);
        energy += part.getPotentialEnergy();
        for (int i = 0; i < numParticles; i++)
            sum[i] += part.getForces()[i];
    }
    const State whole = context->getState(State::Energy | State::Forces);
    EXPECT_NEAR(whole.getPotentialEnergy(), energy, 1e-5 * std::abs(energy));
    for (int i = 0; i < numParticles; i++)
        for (int j = 0; j < 3; j++)
            EXPECT_NEAR(whole.getForces()[i][j], sum[i][j], 1e-5 * (1 + std::abs(sum[i][j])));
}

TEST_P(BoltzmannForce, OffTheSupportItThrowsUnlessItIsSwitchedOff) {
    addForce(flow);
    auto context = makeContext();
    std::vector<Vec3> mirrored = place(0);
    for (Vec3& position : mirrored)
        position[0] *= -1;
    expectError([&] { computeEnergy(*context, mirrored); }, "outside the flow's support");
    std::vector<Vec3> broken = place(0);
    broken[particles[1]][2] = std::nan("");
    // The CPU platform itself refuses such positions.
    if (std::string(GetParam()) == "Reference")
        expectError([&] { computeEnergy(*context, broken, 1 << 3); }, "not a finite number");
    context->setParameter(BoltzmannGeneratorForce::Scale(), 0);
    EXPECT_EQ(computeEnergy(*context, mirrored, 1 << 3), 0);
    EXPECT_EQ(context->getState(State::Forces, false, 1 << 3).getForces()[particles[0]], Vec3());
    // The Context works on.
    context->setParameter(BoltzmannGeneratorForce::Scale(), 1);
    EXPECT_NEAR(computeEnergy(*context, place(0), 1 << 3), -kT * logQ[0], 1e-6);
}

TEST_P(BoltzmannForce, ContextsInTwoThreadsGiveWhatOneGives) {
    addForce(flow);
    auto evaluate = [&](Context& context) {
        std::vector<double> values;
        for (int k = 0; k < 40; k++) {
            context.setPositions(place(k));
            const State state = context.getState(State::Energy | State::Forces, false, 1 << 3);
            values.push_back(state.getPotentialEnergy());
            values.push_back(state.getForces()[particles[2]][1]);
        }
        return values;
    };
    auto first = makeContext(), second = makeContext();
    const std::vector<double> expected = evaluate(*first);
    std::vector<double> found[2];
    {
        std::jthread a([&] { found[0] = evaluate(*first); }), b([&] { found[1] = evaluate(*second); });
    }
    EXPECT_EQ(found[0], expected);
    EXPECT_EQ(found[1], expected);
}

INSTANTIATE_TEST_SUITE_P(BoltzmannGeneratorForce, BoltzmannForce, testing::Values("Reference", "CPU"));

TEST(BoltzmannGeneratorForce, RefusesWhatMakesNoSense) {
    const Flow flow = makeFlow();
    auto expectRefused = [](const std::vector<int>& chosen, const Flow& used, const std::string& fragment) {
        auto system = makeSystem();
        system->addForce(new BoltzmannGeneratorForce(used, chosen, temperature));
        VerletIntegrator integrator(0.001);
        expectContextError(*system, integrator, fragment);
    };
    expectRefused({0, 1, 2, 3}, flow, "is for 4 particles and its flow has 5");
    expectRefused({}, flow, "is for 0 particles and its flow has 5");
    expectRefused({0, 1, 2, 3, 8}, flow, "particle 8, but the particles of the System are numbered");
    expectRefused({0, 1, 2, 3, -1}, flow, "particle -1");
    expectRefused({0, 1, 2, 3, 1}, flow, "names particle 1 twice");
    for (double bad : {0.0, -1.0, std::nan(""), (double)INFINITY})
        expectError([&] { BoltzmannGeneratorForce(flow, particles, bad); }, "temperature must be positive");
}

TEST(BoltzmannGeneratorForce, RemembersItsSettings) {
    BoltzmannGeneratorForce force(makeFlow(), particles, temperature);
    EXPECT_EQ(force.getName(), "BoltzmannGeneratorForce");
    EXPECT_EQ(force.getParticles(), particles);
    EXPECT_EQ(force.getTemperature(), temperature);
    EXPECT_EQ(force.getFlow().getHash(), makeFlow().getHash());
    EXPECT_EQ(force.getScaleParameterName(), "BoltzmannGeneratorScale");
    EXPECT_EQ(force.getDefaultScale(), 1);
    EXPECT_FALSE(force.usesPeriodicBoundaryConditions());
}

}  // namespace
