// Langevin dynamics of many replicas, against known distributions and OpenMM's own integrator.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "DynamicsSystems.h"
#include "ExpectError.h"
#include "openmm/Context.h"
#include "openmm/LangevinMiddleIntegrator.h"
#include "openmm/MonteCarloBarostat.h"
#include "openmm/NonbondedForce.h"
#include "openmm/Platform.h"
#include "openmm/State.h"
#include "openmm/VirtualSite.h"
#include "openmmflow/BatchedLangevinMiddleIntegrator.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;

namespace {

/** The averages of potential energies and of kinetic temperatures over a run. */
struct Averages {
    ReplicaMean energy, kineticTemperature, x2;
};

Averages average(const System& system, BatchedLangevinMiddleIntegrator& integrator, int frames,
                 int interval) {
    const int replicas = integrator.getNumReplicas(), particles = integrator.getNumParticles();
    Averages averages = {ReplicaMean(replicas), ReplicaMean(replicas), ReplicaMean(replicas)};
    for (int frame = 0; frame < frames; frame++) {
        integrator.step(interval);
        for (int k = 0; k < replicas; k++) {
            averages.energy.add(k, integrator.getPotentialEnergies()[k]);
            averages.x2.add(k, std::pow(integrator.getPositions()[3 * particles * k], 2));
            double kinetic = 0;
            for (int i = 0; i < particles; i++)
                for (int j = 0; j < 3; j++)
                    kinetic += 0.5 * system.getParticleMass(i)
                               * std::pow(integrator.getVelocities()[3 * (particles * k + i) + j], 2);
            averages.kineticTemperature.add(k, 2 * kinetic / (3 * particles * BOLTZ));
        }
        averages.energy.nextFrame();
        averages.kineticTemperature.nextFrame();
        averages.x2.nextFrame();
    }
    return averages;
}

TEST(BatchedLangevinMiddleIntegrator, IsExactForSpringsWithAnyStepSize) {
    const auto system = makeSpring();
    BatchedPotential potential(*system, {{"Threads", "2"}});
    // The period is 0.22 ps.
    for (double stepSize : {0.01, 0.05})
        for (double temperature : {100.0, 600.0}) {
            BatchedLangevinMiddleIntegrator integrator(*system, potential,
                                                       std::vector<double>(32, temperature), 5, stepSize, 1);
            integrator.setPositions([] {
                std::vector<double> x(32 * 6, 0.0);
                for (int k = 0; k < 32; k++)
                    x[6 * k] = 0.05;
                return x;
            }());
            integrator.step(200);
            const Averages averages = average(*system, integrator, 1000, 4);
            EXPECT_NEAR(averages.energy.getMean(), 1.5 * BOLTZ * temperature, 4 * averages.energy.getError());
            EXPECT_LT(averages.energy.getError(), 0.015 * 1.5 * BOLTZ * temperature);
            EXPECT_NEAR(averages.kineticTemperature.getMean(), temperature,
                        4 * averages.kineticTemperature.getError());
            EXPECT_LT(averages.kineticTemperature.getError(), 0.015 * temperature);
        }
}

TEST(BatchedLangevinMiddleIntegrator, SamplesADoubleWell) {
    const auto system = makeDoubleWell();
    BatchedPotential potential(*system, Platform::getPlatformByName("Reference"), {{"Threads", "2"}});
    auto one = [](double) { return 1.0; };
    auto x2 = [](double x) { return x * x; };
    const double temperature = 400;
    const double expected =
        integrate(-0.3, 0.3, temperature, doubleWell, one, doubleWell) + BOLTZ * temperature;
    const double expectedX2 = integrate(-0.3, 0.3, temperature, doubleWell, one, x2);
    std::vector<Averages> results;
    for (double stepSize : {0.01, 0.02}) {
        BatchedLangevinMiddleIntegrator integrator(*system, potential, std::vector<double>(64, temperature),
                                                   3, stepSize, 2);
        integrator.setPositions([] {
            std::vector<double> x(64 * 3, 0.0);
            for (int k = 0; k < 64; k++)
                x[3 * k] = k % 2 == 0 ? 0.1 : -0.1;
            return x;
        }());
        integrator.step(500);
        results.push_back(average(*system, integrator, 2000, 5));
    }
    // The error of the time step is of second order: a third of the difference remains at the smaller step.
    const Averages &fine = results[0], &coarse = results[1];
    const double bias = (coarse.energy.getMean() - fine.energy.getMean()) / 3;
    EXPECT_LT(std::abs(bias), 2 * std::hypot(fine.energy.getError(), coarse.energy.getError()));
    EXPECT_NEAR(fine.energy.getMean(), expected, 4 * fine.energy.getError());
    EXPECT_NEAR(fine.x2.getMean(), expectedX2, 4 * fine.x2.getError());
    EXPECT_LT(fine.energy.getError(), 0.01 * expected);
}

TEST(BatchedLangevinMiddleIntegrator, WithoutFrictionItsTrajectoryIsOpenMMs) {
    const auto system = makePeroxide();
    BatchedPotential potential(*system, {{"Threads", "1"}, {"Precision", "double"}});
    BatchedLangevinMiddleIntegrator integrator(*system, potential, {300, 600}, 0, 0.001, 4);
    integrator.setPositions(makePeroxidePositions(2));
    LangevinMiddleIntegrator reference(300, 0, 0.001);
    Context context(*system, reference, Platform::getPlatformByName("Reference"));
    std::vector<Vec3> positions(4), velocities(4);
    const int replica = 1;
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 3; j++) {
            positions[i][j] = integrator.getPositions()[12 * replica + 3 * i + j];
            velocities[i][j] = integrator.getVelocities()[12 * replica + 3 * i + j];
        }
    context.setPositions(positions);
    context.setVelocities(velocities);
    integrator.step(50);
    reference.step(50);
    const State state = context.getState(State::Positions | State::Velocities | State::Energy);
    Vec3 center;
    for (const Vec3& position : state.getPositions())
        center += position / 4;
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 3; j++) {
            const size_t index = 12 * replica + 3 * i + j;
            EXPECT_NEAR(integrator.getPositions()[index], state.getPositions()[i][j] - center[j], 1e-10);
            EXPECT_NEAR(integrator.getVelocities()[index], state.getVelocities()[i][j], 1e-8);
        }
    EXPECT_NEAR(integrator.getPotentialEnergies()[replica], state.getPotentialEnergy(), 1e-7);
}

TEST(BatchedLangevinMiddleIntegrator, AgreesWithOpenMMOnTheAverageEnergy) {
    // A step so large that its error, which both have, exceeds that of the averages.
    const auto system = makePeroxide();
    const double temperature = 300, friction = 5, stepSize = 0.01;
    BatchedPotential potential(*system, {{"Threads", "2"}});
    BatchedLangevinMiddleIntegrator integrator(*system, potential, std::vector<double>(64, temperature),
                                               friction, stepSize, 3);
    integrator.setPositions(makePeroxidePositions(64));
    integrator.step(500);
    const Averages averages = average(*system, integrator, 1000, 5);

    ReplicaMean expected(16);
    for (int run = 0; run < 16; run++) {
        LangevinMiddleIntegrator reference(temperature, friction, stepSize);
        reference.setRandomNumberSeed(run + 1);
        Context context(*system, reference, Platform::getPlatformByName("Reference"));
        std::vector<Vec3> positions;
        const std::vector<double> start = makePeroxidePositions(1);
        for (int i = 0; i < 4; i++)
            positions.emplace_back(start[3 * i], start[3 * i + 1], start[3 * i + 2]);
        context.setPositions(positions);
        context.setVelocitiesToTemperature(temperature, run + 1);
        reference.step(500);
        for (int frame = 0; frame < 2000; frame++) {
            reference.step(5);
            expected.add(run, context.getState(State::Energy).getPotentialEnergy() / 2000);
        }
    }
    expected.nextFrame();
    EXPECT_NEAR(averages.energy.getMean(), expected.getMean(),
                3 * std::hypot(averages.energy.getError(), expected.getError()));
    EXPECT_LT(averages.energy.getError(), 0.01 * averages.energy.getMean());
    EXPECT_LT(expected.getError(), 0.01 * expected.getMean());
}

TEST(BatchedLangevinMiddleIntegrator, NeitherThreadsNorNeighboursMatter) {
    const auto system = makePeroxide();
    const std::vector<double> temperatures = {300, 350, 400, 450, 500, 550, 600};
    auto run = [&](int first, int count, const char* threads) {
        BatchedPotential potential(*system, {{"Threads", threads}});
        BatchedLangevinMiddleIntegrator integrator(
            *system, potential, {temperatures.begin() + first, temperatures.begin() + first + count}, 1,
            0.002, 9, first, {{"Threads", threads}});
        integrator.setPositions(makePeroxidePositions(count));
        integrator.step(300);
        return integrator.getPositions();
    };
    const std::vector<double> together = run(0, 7, "1");
    EXPECT_EQ(run(0, 7, "3"), together);
    std::vector<double> apart = run(0, 3, "2");
    const std::vector<double> rest = run(3, 4, "1");
    apart.insert(apart.end(), rest.begin(), rest.end());
    EXPECT_EQ(apart, together);
    EXPECT_NE(std::vector<double>(together.begin(), together.begin() + 12),
              std::vector<double>(together.begin() + 12, together.begin() + 24));
}

TEST(BatchedLangevinMiddleIntegrator, GoesOnFromACheckpointBitByBit) {
    const auto system = makePeroxide();
    BatchedPotential potential(*system, {{"Threads", "1"}});
    BatchedLangevinMiddleIntegrator integrator(*system, potential, {300, 600}, 1, 0.002, 5);
    integrator.setPositions(makePeroxidePositions(2));
    integrator.step(37);
    const std::string checkpoint = integrator.createCheckpoint();
    integrator.step(100);
    BatchedLangevinMiddleIntegrator other(*system, potential, {200, 200}, 3, 0.001, 77, 4);
    other.loadCheckpoint(checkpoint);
    EXPECT_EQ(other.getDescription(), "LangevinMiddle, step size 0.002 ps, friction 1/ps");
    EXPECT_EQ(other.getRandomNumberSeed(), 5u);
    other.step(40);
    other.step(60);
    EXPECT_EQ(other.getPositions(), integrator.getPositions());
    EXPECT_EQ(other.getVelocities(), integrator.getVelocities());
    EXPECT_EQ(other.createCheckpoint(), integrator.createCheckpoint());

    BatchedLangevinMiddleIntegrator third(*system, potential, {200, 200, 300}, 3, 0.001);
    expectError([&] { third.loadCheckpoint(checkpoint); }, "instead of (3)");
    expectError([&] { other.loadCheckpoint(checkpoint.substr(0, 100)); }, "Cannot read the checkpoint");
}

TEST(BatchedLangevinMiddleIntegrator, TheCentreStaysWhereTheEnergyDoesNotDependOnIt) {
    const auto peroxide = makePeroxide();
    BatchedPotential potential(*peroxide, {{"Threads", "1"}});
    BatchedLangevinMiddleIntegrator integrator(*peroxide, potential, {300}, 1, 0.002);
    integrator.setPositions(makePeroxidePositions(1));
    integrator.step(1000);
    for (int j = 0; j < 3; j++) {
        const std::vector<double>& x = integrator.getPositions();
        EXPECT_NEAR(x[j] + x[3 + j] + x[6 + j] + x[9 + j], 0, 1e-14);
    }
    const auto well = makeDoubleWell();
    BatchedPotential wellPotential(*well, {{"Threads", "1"}});
    BatchedLangevinMiddleIntegrator inWell(*well, wellPotential, {300}, 1, 0.002);
    inWell.setPositions({0.1, 0, 0});
    inWell.step(1);
    EXPECT_NEAR(inWell.getPositions()[0], 0.1, 0.01);
}

TEST(BatchedLangevinMiddleIntegrator, VelocitiesFollowTheTemperature) {
    const auto system = makePeroxide();
    BatchedPotential potential(*system, {{"Threads", "1"}});
    BatchedLangevinMiddleIntegrator integrator(*system, potential, {300, 300}, 1, 0.002);
    const std::vector<double> before = integrator.getVelocities();
    integrator.setTemperatures({300, 1200});
    for (int i = 0; i < 12; i++) {
        EXPECT_EQ(integrator.getVelocities()[i], before[i]);
        EXPECT_DOUBLE_EQ(integrator.getVelocities()[12 + i], 2 * before[12 + i]);
    }
}

TEST(BatchedLangevinMiddleIntegrator, SaysWhichReplicaBlewUp) {
    const auto system = makePeroxide();
    BatchedPotential potential(*system, {{"Threads", "1"}});
    BatchedLangevinMiddleIntegrator integrator(*system, potential, {300, 400, 500}, 1, 0.002, 0, 10);
    integrator.setPositions(makePeroxidePositions(3));
    std::vector<double> velocities = integrator.getVelocities();
    velocities[12] = 1e200;
    integrator.setVelocities(velocities);
    expectError([&] { integrator.step(10); }, "Replica 11 at 400 K blew up in step 1");
}

TEST(BatchedLangevinMiddleIntegrator, RefusesWhatItCannotDo) {
    const auto system = makePeroxide();
    BatchedPotential potential(*system, {{"Threads", "1"}});
    auto create = [&](const System& system, const std::vector<double>& temperatures = {300},
                      double friction = 1, double stepSize = 0.001,
                      const std::map<std::string, std::string>& properties = {}) {
        BatchedLangevinMiddleIntegrator(system, potential, temperatures, friction, stepSize, 0, 0,
                                        properties);
    };
    auto withConstraint = makePeroxide();
    withConstraint->addConstraint(0, 1, 0.12);
    expectError([&] { create(*withConstraint); }, "constraints");
    auto withoutMass = makePeroxide();
    withoutMass->setParticleMass(2, 0);
    expectError([&] { create(*withoutMass); }, "Particle 2 has no mass");
    auto withSite = makePeroxide();
    withSite->setParticleMass(3, 0);
    withSite->setVirtualSite(3, new TwoParticleAverageSite(0, 1, 0.5, 0.5));
    expectError([&] { create(*withSite); }, "Particle 3 is a virtual site");
    auto withBarostat = makePeroxide();
    withBarostat->addForce(new MonteCarloBarostat(1, 300));
    expectError([&] { create(*withBarostat); }, "barostat");
    expectError([&] { create(*makeSpring()); }, "must describe the same molecule");
    expectError([&] { create(*system, {}); }, "no replica");
    expectError([&] { create(*system, {300, -1}); }, "Temperatures must be positive");
    expectError([&] { create(*system, {300}, -1); }, "friction");
    expectError([&] { create(*system, {300}, 1, 0); }, "step size must be positive");
    expectError(
        [&] {
            create(*system, {300}, 1, 0.001, {{"Precision", "double"}});
        },
        "no property \"Precision\"");
    expectError([&] { create(*system, {300}, 1, 0.001, {{"Threads", "0"}}); }, "Threads");

    BatchedLangevinMiddleIntegrator integrator(*system, potential, {300, 300}, 1, 0.001);
    expectError([&] { integrator.step(1); }, "call setPositions() first");
    expectError([&] { integrator.createCheckpoint(); }, "call setPositions() first");
    expectError([&] { integrator.setPositions(makePeroxidePositions(1)); }, "24 coordinates");
    std::vector<double> positions = makePeroxidePositions(2);
    positions[14] = std::numeric_limits<double>::quiet_NaN();
    expectError([&] { integrator.setPositions(positions); }, "replica 1 is not finite");
    expectError([&] { integrator.setVelocities({1, 2}); }, "need 24 velocities");
    expectError([&] { integrator.setTemperatures({300}); }, "one for each");
    integrator.setPositions(makePeroxidePositions(2));
    expectError([&] { integrator.step(-1); }, "must not be negative");
}

}  // namespace
