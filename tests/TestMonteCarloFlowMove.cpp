// What a flow move does to a Context: velocities, checkpoints, changes of the energy, statistics.

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "ExpectError.h"
#include "FlowMoveChain.h"
#include "openmm/CMMotionRemover.h"
#include "openmm/CustomTorsionForce.h"
#include "openmm/LangevinMiddleIntegrator.h"
#include "openmm/VerletIntegrator.h"
#include "openmm/VirtualSite.h"
#include "openmmflow/BoltzmannGeneratorForce.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace OpenMMFlow::tests::peroxide;

namespace {

Platform& getReference() {
    return Platform::getPlatformByName("Reference");
}

std::vector<Vec3> getPositions(const Context& context) {
    return context.getState(State::Positions).getPositions();
}

std::vector<Vec3> getVelocities(const Context& context) {
    return context.getState(State::Velocities).getVelocities();
}

void expectNear(const std::vector<Vec3>& a, const std::vector<Vec3>& b, double tolerance) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); i++)
        for (int j = 0; j < 3; j++)
            ASSERT_NEAR(a[i][j], b[i][j], tolerance) << i;
}

class FlowMove : public testing::TestWithParam<const char*> {
protected:
    Platform& platform = Platform::getPlatformByName(GetParam());
    Flow flow = makeFlow();
    std::unique_ptr<System> system = makeSystem();
};

TEST_P(FlowMove, VelocitiesStayMaxwell) {
    // One particle is not the flow's. The momentum that was removed does not come back.
    system->addParticle(20);
    system->addForce(new CMMotionRemover());
    auto* move = makeMove(1, {0, 1, 2, 3});
    system->addForce(move);
    auto integrator = makeIdleIntegrator();
    Context context(*system, *integrator, platform);
    std::vector<Vec3> positions = getSample(flow, 0);
    positions.push_back(Vec3(1, 1, 1));
    context.setPositions(positions);
    std::vector<Vec3> start(5);
    for (int i = 0; i < 5; i++)
        start[i] = Vec3(0.1 * i, -0.2, 0.3) / system->getParticleMass(i);
    context.setVelocities(start);
    integrator->step(1);
    Vec3 momentum;
    const Vec3 other = getVelocities(context)[4];
    for (int i = 0; i < 4; i++)
        momentum += system->getParticleMass(i) * getVelocities(context)[i];
    Series kineticEnergy, square, light;
    std::vector<Vec3> last = getVelocities(context), lastPositions = getPositions(context);
    int numKept = 0;
    while (move->getStatistics(context).getNumAcceptances() < 4000) {
        integrator->step(1);
        const std::vector<Vec3> velocities = getVelocities(context);
        if (getPositions(context)[0] == lastPositions[0]) {
            expectNear(velocities, last, 1e-9);
            numKept++;
            continue;
        }
        EXPECT_NE(velocities[0], last[0]);
        expectNear({velocities[4]}, {other}, 1e-9);
        last = velocities;
        lastPositions = getPositions(context);
        Vec3 sum;
        double twice = 0, totalMass = 0;
        for (int i = 0; i < 4; i++) {
            const double mass = system->getParticleMass(i);
            sum += mass * velocities[i];
            twice += mass * velocities[i].dot(velocities[i]);
            totalMass += mass;
        }
        expectNear({sum}, {momentum}, 1e-9);
        const double internal = 0.5 * (twice - momentum.dot(momentum) / totalMass) / kT;
        kineticEnergy.add(internal);
        square.add(std::pow(internal - 4.5, 2));
        // The variance of one velocity, given the total momentum, is kT/m (1 - m/M).
        light.add(std::pow(velocities[3][1] - momentum[1] / totalMass, 2) / (kT * (1 - 1 / totalMass)));
    }
    EXPECT_GT(numKept, 1000);
    // 3N-3 = 9 degrees of freedom: the internal kinetic energy is a gamma variable of shape 4.5.
    EXPECT_NEAR(kineticEnergy.getMean(), 4.5, 3 * kineticEnergy.getError());
    EXPECT_NEAR(square.getMean(), 4.5, 3 * square.getError());
    EXPECT_NEAR(light.getMean(), 1, 3 * light.getError());
    EXPECT_LT(light.getError(), 0.03);
}

/** Positions and velocities belong to the same time, also where an integrator keeps velocities of half a step
 * before. */
TEST_P(FlowMove, LeapfrogVelocitiesAreThoseOfTheTimeOfThePositions) {
    const double dt = 0.0004;
    // Something else that feels the molecule.
    system->addParticle(20);
    auto* bond = new CustomTorsionForce("100*cos(theta)");
    bond->addTorsion(4, 0, 1, 2);
    system->addForce(bond);
    system->addForce(makeMove(1, {0, 1, 2, 3}));
    std::vector<Vec3> positions = getSample(flow, 0);
    positions.push_back(positions[0] + Vec3(0.2, 0.1, 0.15));
    const std::vector<Vec3> start(5, Vec3(0.1, 0.2, -0.1));

    // What the move does, with velocities that do not lag behind. All other steps leave the state as it is.
    auto idle = makeIdleIntegrator();
    Context expected(*system, *idle, platform);
    expected.setPositions(positions);
    std::vector<Vec3> forces = expected.getState(State::Forces).getForces(), onStep = start;
    for (int i = 0; i < 5; i++)
        onStep[i] += 0.5 * dt / system->getParticleMass(i) * forces[i];
    // Draw until a move is accepted.
    int step = 0;
    do {
        expected.setStepCount(++step);
        expected.setVelocities(onStep);
        idle->step(1);
    } while (getPositions(expected)[0] == positions[0]);
    const State moved = expected.getState(State::Positions | State::Velocities | State::Forces);
    std::vector<Vec3> newPositions(5), newVelocities(5);
    for (int i = 0; i < 5; i++) {
        const Vec3 kick = dt / system->getParticleMass(i) * moved.getForces()[i];
        newVelocities[i] = moved.getVelocities()[i] + 0.5 * kick;
        newPositions[i] = moved.getPositions()[i] + dt * newVelocities[i];
    }

    VerletIntegrator verlet(dt);
    Context context(*system, verlet, platform);
    context.setPositions(positions);
    context.setVelocities(start);
    context.setStepCount(step);
    verlet.step(1);
    expectNear(getPositions(context), newPositions, 2e-7);
    expectNear(getVelocities(context), newVelocities, 2e-4);
}

/** Where the energy is the flow's own all weights are equal. */
TEST_P(FlowMove, AFlowThatFitsIsAlwaysAccepted) {
    System own;
    for (double mass : {1.0, 16.0, 16.0, 1.0})
        own.addParticle(mass);
    own.addForce(new BoltzmannGeneratorForce(flow, {0, 1, 2, 3}, temperature));
    auto* move = makeMove(1);
    own.addForce(move);
    auto integrator = makeIdleIntegrator();
    Context context(own, *integrator, platform);
    context.setPositions(getSample(flow, 0));
    integrator->step(200);
    const FlowMoveStatistics& statistics = move->getStatistics(context);
    EXPECT_EQ(statistics.getNumAcceptances() + statistics.getNumOffSupport(), 200);
    for (double logRatio : statistics.getLogRatios())
        // log q of moves is in single precision.
        EXPECT_TRUE(std::abs(logRatio) < 1e-4 || logRatio == -INFINITY) << logRatio;
    // At half the scale w = 1/sqrt(q), and the log ratio is half the difference of log q.
    context.setParameter(BoltzmannGeneratorForce::Scale(), 0.5);
    integrator->step(200);
    EXPECT_LT(statistics.getLogRatioQuantile(0.05), -0.5);
}

TEST_P(FlowMove, OtherParticlesKeepTheirConstraintsAndFollowAsVirtualSites) {
    for (int i = 0; i < 2; i++)
        system->addParticle(5);
    system->addConstraint(4, 5, 0.12);
    system->addParticle(0);
    system->setVirtualSite(6, new TwoParticleAverageSite(0, 4, 0.3, 0.7));
    auto* bonds = new HarmonicBondForce();
    bonds->addBond(1, 4, 0.3, 500);
    bonds->addBond(6, 5, 0.3, 500);
    system->addForce(bonds);
    auto* move = makeMove(1, {0, 1, 2, 3});
    move->setNumProposals(3);
    system->addForce(move);
    LangevinMiddleIntegrator integrator(temperature, 1, 0.0005);
    integrator.setConstraintTolerance(1e-7);
    Context context(*system, integrator, platform);
    std::vector<Vec3> positions = getSample(flow, 0);
    positions.push_back(Vec3(0.3, 0, 0));
    positions.push_back(Vec3(0.3, 0.12, 0));
    positions.push_back(Vec3());
    context.setPositions(positions);
    context.computeVirtualSites();
    context.setVelocitiesToTemperature(temperature, 1);
    for (int k = 0; k < 100; k++) {
        integrator.step(1);
        const std::vector<Vec3> x = getPositions(context);
        const Vec3 distance = x[5] - x[4];
        EXPECT_NEAR(std::sqrt(distance.dot(distance)), 0.12, 1e-6);
        expectNear({x[6]}, {x[0] * 0.3 + x[4] * 0.7}, 1e-9);
    }
    EXPECT_GT(move->getStatistics(context).getNumAcceptances(), 20);
}

TEST_P(FlowMove, PreparedEnergiesFollowEveryChange) {
    auto* torsion = new CustomTorsionForce("scale*cos(theta)");
    torsion->addGlobalParameter("scale", 0);
    torsion->addTorsion(0, 1, 2, 3);
    torsion->setForceGroup(7);
    system->addForce(torsion);
    auto* move = makeMove(1);
    system->addForce(move);
    // The same Forces in the same places, but for the last, which the twin has only.
    auto twin = makeSystem();
    twin->addForce(new CustomTorsionForce(*torsion));
    auto* twinMove = makeMove(1);
    twin->addForce(twinMove);
    preventBatches(*twin);
    for (MonteCarloFlowMove* each : {move, twinMove})
        each->setNumProposals(2);
    auto integrator = makeIdleIntegrator(), twinIntegrator = makeIdleIntegrator();
    Context context(*system, *integrator, platform), twinContext(*twin, *twinIntegrator, platform);
    int numAccepted = 0;
    auto compare = [&](int steps) {
        for (int k = 0; k < steps; k++) {
            const Vec3 before = getPositions(context)[0];
            integrator->step(1);
            twinIntegrator->step(1);
            numAccepted += getPositions(context)[0] != before;
            expectNear(getPositions(context), getPositions(twinContext), 1e-9);
        }
    };
    for (Context* c : {&context, &twinContext})
        c->setPositions(getSample(flow, 0));
    compare(150);
    for (Context* c : {&context, &twinContext})
        c->setParameter("scale", 8);
    compare(150);
    for (Integrator* i : {(Integrator*)integrator.get(), (Integrator*)twinIntegrator.get()})
        i->setIntegrationForceGroups(~(1 << 7));
    compare(150);
    for (auto [s, c] : {std::pair(system.get(), &context), std::pair(twin.get(), &twinContext)}) {
        auto& angles = dynamic_cast<HarmonicAngleForce&>(s->getForce(1));
        angles.setAngleParameters(0, 0, 1, 2, 1.9, 100);
        angles.updateParametersInContext(*c);
    }
    compare(150);
    EXPECT_GT(numAccepted, 100);
    const FlowMoveStatistics &a = move->getStatistics(context), &b = twinMove->getStatistics(twinContext);
    EXPECT_EQ(a.getNumAcceptances(), b.getNumAcceptances());
    EXPECT_EQ(a.getNumOffSupport(), b.getNumOffSupport());
    EXPECT_NEAR(a.getLogRatioQuantile(0.5), b.getLogRatioQuantile(0.5), 1e-3);
}

TEST_P(FlowMove, ProposalsAreThoseOfTheStepCount) {
    system->addForce(makeMove(3));
    auto integrator = makeIdleIntegrator();
    Context context(*system, *integrator, platform);
    const std::vector<Vec3> start = getSample(flow, 0);
    context.setPositions(start);
    std::vector<std::vector<Vec3>> path;
    for (int k = 0; k < 600; k++) {
        const std::vector<Vec3> before = getPositions(context);
        integrator->step(1);
        path.push_back(getPositions(context));
        if (k % 3 != 2) {
            EXPECT_EQ(path[k], before);
        }
    }
    EXPECT_NE(path.back(), start);
    for (int step : {0, 2, 299, 3}) {
        context.setPositions(step == 0 ? start : path[step - 1]);
        context.setStepCount(step);
        integrator->step(301);
        EXPECT_EQ(getPositions(context), path[step + 300]);
    }
}

TEST_P(FlowMove, SeedsAndForcesHaveTheirOwnProposals) {
    auto run = [&](int seed, int position) {
        auto other = makeSystem();
        for (int i = 0; i < position; i++)
            other->addForce(new CMMotionRemover());
        auto* move = makeMove(1);
        move->setRandomNumberSeed(seed);
        other->addForce(move);
        auto integrator = makeIdleIntegrator();
        Context context(*other, *integrator, platform);
        context.setPositions(getSample(flow, 0));
        integrator->step(30);
        return getPositions(context);
    };
    EXPECT_EQ(run(1, 0), run(1, 0));
    EXPECT_NE(run(1, 0), run(2, 0));
    EXPECT_NE(run(1, 0), run(1, 1));
    EXPECT_NE(run(0, 0), run(0, 0));
}

TEST_P(FlowMove, ContextsInTwoThreadsDoWhatOneDoes) {
    system->addForce(makeMove(2));
    auto integrators = {makeIdleIntegrator(), makeIdleIntegrator(), makeIdleIntegrator()};
    std::vector<std::unique_ptr<Context>> contexts;
    for (const auto& integrator : integrators) {
        contexts.push_back(std::make_unique<Context>(*system, *integrator, platform));
        contexts.back()->setPositions(getSample(flow, 0));
    }
    auto run = [&](int i) { contexts[i]->getIntegrator().step(800); };
    run(0);
    { std::jthread a(run, 1), b(run, 2); }
    for (int i : {1, 2}) {
        EXPECT_EQ(getPositions(*contexts[i]), getPositions(*contexts[0]));
        EXPECT_EQ(getVelocities(*contexts[i]), getVelocities(*contexts[0]));
    }
}

/** Whoever makes and destroys Contexts in threads does so one at a time; all else may happen at once. */
TEST_P(FlowMove, ContextsComeAndGoInTwoThreads) {
    auto* force = new BoltzmannGeneratorForce(flow, {0, 1, 2, 3}, temperature);
    force->setDefaultScale(0.2);
    system->addForce(force);
    system->addForce(makeMove(2));
    const std::vector<Vec3> start = getSample(flow, 0);
    std::mutex construction;
    auto run = [&] {
        auto integrator = makeIdleIntegrator();
        std::unique_ptr<Context> context;
        {
            std::lock_guard lock(construction);
            context = std::make_unique<Context>(*system, *integrator, platform);
        }
        context->setPositions(start);
        integrator->step(20);
        const std::vector<Vec3> end = getPositions(*context);
        std::lock_guard lock(construction);
        context.reset();
        return end;
    };
    const std::vector<Vec3> expected = run();
    int numDifferent[2] = {0, 0};
    auto repeat = [&](int thread) {
        for (int k = 0; k < 50; k++)
            numDifferent[thread] += run() != expected;
    };
    { std::jthread a(repeat, 0), b(repeat, 1); }
    EXPECT_EQ(numDifferent[0] + numDifferent[1], 0);
}

INSTANTIATE_TEST_SUITE_P(Platforms, FlowMove, testing::Values("Reference", "CPU"));

TEST(FlowMove, ACheckpointContinuesIdentically) {
    auto system = makeSystem();
    auto* move = makeMove(7);
    system->addForce(move);
    auto run = [](Context& context, int steps) {
        context.getIntegrator().step(steps);
        return context.getState(State::Positions | State::Velocities);
    };
    LangevinMiddleIntegrator integrator(temperature, 1, 0.0005), other(temperature, 1, 0.0005);
    Context context(*system, integrator, getReference());
    context.setPositions(getSample(makeFlow(), 0));
    context.setVelocitiesToTemperature(temperature, 2);
    run(context, 50);
    std::stringstream checkpoint;
    context.createCheckpoint(checkpoint);
    const State expected = run(context, 700);
    EXPECT_GT(move->getStatistics(context).getNumAcceptances(), 10);
    Context fresh(*system, other, getReference());
    for (Context* restarted : {&context, &fresh}) {
        checkpoint.seekg(0);
        restarted->loadCheckpoint(checkpoint);
        const State found = run(*restarted, 700);
        EXPECT_EQ(found.getPositions(), expected.getPositions());
        EXPECT_EQ(found.getVelocities(), expected.getVelocities());
    }
}

TEST(FlowMove, StatisticsAreThoseOfEachContext) {
    auto system = makeSystem();
    auto* move = makeMove(1);
    move->setNumProposals(3);
    system->addForce(move);
    auto integrator = makeIdleIntegrator(), other = makeIdleIntegrator();
    Context context(*system, *integrator, getReference()), idle(*system, *other, getReference());
    EXPECT_TRUE(std::isnan(move->getStatistics(context).getLogRatioQuantile(0.5)));
    context.setPositions(getSample(makeFlow(), 0));
    int numChanges = 0;
    for (int k = 0; k < 200; k++) {
        const Vec3 before = getPositions(context)[0];
        integrator->step(1);
        numChanges += getPositions(context)[0] != before;
    }
    const FlowMoveStatistics& statistics = move->getStatistics(context);
    EXPECT_EQ(statistics.getNumAttempts(), 200);
    EXPECT_EQ(statistics.getNumAcceptances(), numChanges);
    EXPECT_EQ(statistics.getAcceptance(), numChanges / 200.0);
    EXPECT_EQ(statistics.getLogRatios().size(), 600u);
    EXPECT_EQ(move->getStatistics(idle).getNumAttempts(), 0);
    expectError([&] { statistics.getLogRatioQuantile(1.5); }, "between 0 and 1");
}

TEST(FlowMove, QuantilesAreThoseOfTheLatestLogRatios) {
    FlowMoveStatistics statistics;
    const int most = FlowMoveStatistics::MOST_LOG_RATIOS;
    for (int k = 0; k < 3 * most; k++)
        statistics.addLogRatio(k % most == 5 ? -1 : k);
    statistics.addOffSupport();
    statistics.addNotFinite();
    EXPECT_EQ(statistics.getLogRatios().size(), (size_t)most);
    EXPECT_EQ(statistics.getNumOffSupport(), 1);
    EXPECT_EQ(statistics.getNumNotFinite(), 1);
    // Left are two infinities, -1, and 2 most + 2 ... 3 most - 1 without one of them.
    EXPECT_EQ(statistics.getLogRatioQuantile(0), -INFINITY);
    EXPECT_EQ(statistics.getLogRatioQuantile(2.0 / most), -INFINITY);
    EXPECT_EQ(statistics.getLogRatioQuantile(3.0 / most), -1);
    EXPECT_EQ(statistics.getLogRatioQuantile(0.5), 2.5 * most - 1);
    EXPECT_EQ(statistics.getLogRatioQuantile(1), 3 * most - 1);
}

}  // namespace
