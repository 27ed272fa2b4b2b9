// What flow moves refuse, and what they warn of.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "ExpectContextError.h"
#include "FlowMoveChain.h"
#include "openmm/AndersenThermostat.h"
#include "openmm/CompoundIntegrator.h"
#include "openmm/CustomTorsionForce.h"
#include "openmm/LangevinMiddleIntegrator.h"
#include "openmm/NoseHooverIntegrator.h"
#include "openmm/OpenMMException.h"
#include "openmm/VerletIntegrator.h"
#include "openmm/VirtualSite.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace OpenMMFlow::tests::peroxide;

namespace {

Platform& getReference() {
    return Platform::getPlatformByName("Reference");
}

/** What is written to the log while something is done. */
std::string captureLog(const std::function<void()>& action) {
    std::stringstream text;
    std::streambuf* original = std::clog.rdbuf(text.rdbuf());
    action();
    std::clog.rdbuf(original);
    return text.str();
}

TEST(FlowMoveWarning, IsGivenOnceWhenNothingIsAccepted) {
    auto system = makeSystem();
    auto& bonds = dynamic_cast<HarmonicBondForce&>(system->getForce(0));
    bonds.setBondParameters(0, 0, 1, 0.2, 1e6);
    system->addForce(makeMove(1));
    auto integrator = makeIdleIntegrator();
    Context context(*system, *integrator, getReference());
    std::vector<Vec3> positions = getSample(makeFlow(), 0);
    const Vec3 bond = positions[0] - positions[1];
    positions[0] = positions[1] + 0.12 / std::sqrt(bond.dot(bond)) * bond;
    context.setPositions(positions);
    EXPECT_EQ(captureLog([&] { integrator->step(999); }), "");
    const std::string warning = captureLog([&] { integrator->step(1); });
    EXPECT_EQ(warning.find("openmm-flow: 0 of 1000 flow moves accepted; log ratio: "), 0u) << warning;
    EXPECT_NE(warning.find("made for this force field, this temperature"), std::string::npos);
    EXPECT_EQ(std::count(warning.begin(), warning.end(), '\n'), 1);
    EXPECT_EQ(captureLog([&] { integrator->step(1000); }), "");
}

class FlowMoveErrors : public testing::Test {
protected:
    std::unique_ptr<System> system = makeSystem();
    void expectRefused(MonteCarloFlowMove* move, const std::string& fragment) {
        auto integrator = makeIdleIntegrator();
        expectRefused(move, *integrator, fragment);
    }
    /** As the last Force of the System. */
    void expectRefused(MonteCarloFlowMove* move, Integrator& integrator, const std::string& fragment) {
        const int index = system->addForce(move);
        expectContextError(*system, integrator, fragment);
        system->removeForce(index);
    }
    void expectTaken(Integrator& integrator) {
        const int index = system->addForce(makeMove(1));
        Context(*system, integrator, getReference());
        system->removeForce(index);
    }
};

TEST_F(FlowMoveErrors, OfTheConstructor) {
    const Flow flow = makeFlow();
    expectError([&] { MonteCarloFlowMove(flow, 0, 1); }, "temperature must be positive");
    expectError([&] { MonteCarloFlowMove(flow, 300, -1); }, "cannot be -1");
    MonteCarloFlowMove move(flow, 300, 1);
    expectError([&] { move.setNumProposals(0); }, "at least one proposal");
    expectError([&] { move.setDefaultTemperature(-3); }, "temperature must be positive");
}

TEST_F(FlowMoveErrors, OfTheParticles) {
    expectRefused(makeMove(1, {0, 1, 2}), "is for 3 particles and its flow has 4");
    expectRefused(makeMove(1, {0, 1, 2, 4}), "particle 4, but");
    expectRefused(makeMove(1, {0, 1, 2, 2}), "particle 2 twice");
    system->setParticleMass(2, 0);
    expectRefused(makeMove(1), "Particle 2 of the MonteCarloFlowMove has no mass");
    system->setVirtualSite(2, new TwoParticleAverageSite(0, 1, 0.5, 0.5));
    expectRefused(makeMove(1), "Particle 2 of the MonteCarloFlowMove is a virtual site");
    system = makeSystem();
    system->addParticle(1);
    expectRefused(makeMove(1), "is for 5 particles and its flow has 4");
    system->addParticle(1);
    system->addConstraint(4, 5, 0.1);
    auto integrator = makeIdleIntegrator();
    const int index = system->addForce(makeMove(1, {0, 1, 2, 3}));
    Context(*system, *integrator, getReference());
    system->removeForce(index);
    system->addConstraint(3, 4, 0.1);
    expectRefused(makeMove(1, {0, 1, 2, 3}), "distance of particles 3 and 4 is constrained");
}

TEST_F(FlowMoveErrors, OfTheIntegrator) {
    LangevinMiddleIntegrator langevin(temperature, 1, 0.001), cold(300, 1, 0.001);
    expectTaken(langevin);
    expectRefused(makeMove(1), cold, "made at 310 K but the integrator keeps 300 K");
    auto* careless = makeMove(1);
    careless->setRequiresMatchingTemperature(false);
    const int index = system->addForce(careless);
    Context(*system, cold, getReference());
    system->removeForce(index);
    NoseHooverIntegrator noseHoover(300, 1, 0.001);
    expectRefused(makeMove(1), noseHoover, "integrator keeps 300 K");
    CompoundIntegrator compound;
    compound.addIntegrator(new VerletIntegrator(0.001));
    compound.addIntegrator(new LangevinMiddleIntegrator(300, 1, 0.001));
    expectTaken(compound);
    CompoundIntegrator other;
    other.addIntegrator(new VerletIntegrator(0.001));
    other.addIntegrator(new LangevinMiddleIntegrator(300, 1, 0.001));
    other.setCurrentIntegrator(1);
    expectRefused(makeMove(1), other, "integrator keeps 300 K");
    CustomIntegrator none(0.001), two(0.001);
    two.addUpdateContextState();
    two.addUpdateContextState();
    expectRefused(makeMove(1), none, "0 times a step");
    expectRefused(makeMove(1), two, "2 times a step");
    VerletIntegrator verlet(0.001);
    expectTaken(verlet);
    system->addForce(new AndersenThermostat(300, 1));
    expectRefused(makeMove(1), verlet, "the AndersenThermostat keeps 300 K");
}

TEST_F(FlowMoveErrors, OfATemperatureThatChanges) {
    system->addForce(makeMove(1));
    LangevinMiddleIntegrator integrator(temperature, 1, 0.0005);
    Context context(*system, integrator, getReference());
    context.setPositions(getSample(makeFlow(), 0));
    integrator.step(3);
    integrator.setTemperature(400);
    expectError([&] { integrator.step(1); }, "made at 310 K but the integrator keeps 400 K");
    context.setParameter(MonteCarloFlowMove::Temperature(), 400);
    integrator.step(3);
}

TEST_F(FlowMoveErrors, OfTheCurrentState) {
    // The root is NaN for half of all torsions.
    auto* limit = new CustomTorsionForce("1e-9*sqrt(cos(theta))");
    limit->addTorsion(0, 1, 2, 3);
    system->addForce(limit);
    system->addForce(makeMove(1));
    auto integrator = makeIdleIntegrator();
    Context context(*system, *integrator, getReference());
    EXPECT_THROW(integrator->step(1), OpenMMException);
    uint64_t sample = 0;
    do
        context.setPositions(getSample(makeFlow(), sample++));
    while (std::isfinite(context.getState(State::Energy).getPotentialEnergy()));
    expectError([&] { integrator->step(1); }, "The potential energy is");
    context.setPositions(std::vector<Vec3>(4));
    expectError([&] { integrator->step(1); }, "outside the flow's support");
}

TEST_F(FlowMoveErrors, OfAMoleculeThatCrossesThePeriodicBox) {
    system->setDefaultPeriodicBoxVectors(Vec3(2, 0, 0), Vec3(0, 2, 0), Vec3(0, 0, 2));
    dynamic_cast<HarmonicBondForce&>(system->getForce(0)).setUsesPeriodicBoundaryConditions(true);
    dynamic_cast<HarmonicAngleForce&>(system->getForce(1)).setUsesPeriodicBoundaryConditions(true);
    dynamic_cast<PeriodicTorsionForce&>(system->getForce(2)).setUsesPeriodicBoundaryConditions(true);
    auto* move = makeMove(1);
    system->addForce(move);
    auto integrator = makeIdleIntegrator();
    Context context(*system, *integrator, getReference());
    std::vector<Vec3> positions = getSample(makeFlow(), 0, Vec3(1.98, 7, 0.01));
    context.setPositions(positions);
    integrator->step(50);
    EXPECT_GT(move->getStatistics(context).getNumAcceptances(), 5);
    positions[0][1] -= 2;
    context.setPositions(positions);
    expectError([&] { integrator->step(1); }, "Particles 0 and 1 are bonded");
}

}  // namespace
