// Hamiltonian Monte Carlo of many replicas, against known distributions.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "DynamicsSystems.h"
#include "ExpectError.h"
#include "openmm/CustomBondForce.h"
#include "openmm/Platform.h"
#include "openmmflow/BatchedHMCIntegrator.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;

namespace {

double getAcceptance(const BatchedHMCIntegrator& integrator) {
    const std::vector<long long>& acceptances = integrator.getNumAcceptances();
    return (double)std::accumulate(acceptances.begin(), acceptances.end(), 0LL)
           / ((double)integrator.getNumProposals() * integrator.getNumReplicas());
}

TEST(BatchedHMCIntegrator, IsExactWithACoarseStep) {
    const auto system = makeDoubleWell();
    BatchedPotential potential(*system, Platform::getPlatformByName("Reference"), {{"Threads", "2"}});
    auto one = [](double) { return 1.0; };
    auto x2 = [](double x) { return x * x; };
    for (double temperature : {300.0, 600.0}) {
        BatchedHMCIntegrator integrator(*system, potential, std::vector<double>(64, temperature), 0.05, 6, 1);
        integrator.setPositions([] {
            std::vector<double> x(64 * 3, 0.0);
            for (int k = 0; k < 64; k++)
                x[3 * k] = k % 2 == 0 ? 0.1 : -0.1;
            return x;
        }());
        integrator.step(100);
        integrator.resetStatistics();
        ReplicaMean energy(64), square(64);
        for (int frame = 0; frame < 2000; frame++) {
            integrator.step(1);
            for (int k = 0; k < 64; k++) {
                energy.add(k, integrator.getPotentialEnergies()[k]);
                square.add(k, x2(integrator.getPositions()[3 * k]));
            }
            energy.nextFrame();
            square.nextFrame();
        }
        // So coarse that without the Metropolis test the averages would be wrong by far more than their
        // errors.
        EXPECT_GT(getAcceptance(integrator), 0.2);
        EXPECT_LT(getAcceptance(integrator), 0.95);
        const double expected =
            integrate(-0.4, 0.4, temperature, doubleWell, one, doubleWell) + BOLTZ * temperature;
        EXPECT_NEAR(energy.getMean(), expected, 4 * energy.getError());
        EXPECT_LT(energy.getError(), 0.02 * expected);
        EXPECT_NEAR(square.getMean(), integrate(-0.4, 0.4, temperature, doubleWell, one, x2),
                    4 * square.getError());
    }
}

TEST(BatchedHMCIntegrator, SamplesAMoleculeAtTheTemperatureOfEachReplica) {
    const auto system = makePeroxide();
    BatchedPotential potential(*system, {{"Threads", "2"}});
    const std::vector<double> ladder = {300, 450, 600};
    std::vector<double> temperatures;
    for (int k = 0; k < 96; k++)
        temperatures.push_back(ladder[k % 3]);
    BatchedHMCIntegrator integrator(*system, potential, temperatures, 0.005, 10, 2);
    integrator.setPositions(makePeroxidePositions(96));
    integrator.step(100);
    std::vector<ReplicaMean> energies(3, ReplicaMean(32));
    for (int frame = 0; frame < 500; frame++) {
        integrator.step(1);
        for (int k = 0; k < 96; k++)
            energies[k % 3].add(k / 3, integrator.getPotentialEnergies()[k]);
        for (ReplicaMean& energy : energies)
            energy.nextFrame();
    }
    for (int level = 0; level < 3; level++) {
        const double expected = getPeroxideEnergy(ladder[level]);
        EXPECT_NEAR(energies[level].getMean(), expected, 4 * energies[level].getError()) << ladder[level];
        EXPECT_LT(energies[level].getError(), 0.02 * expected);
    }
}

/** Shows what a trajectory does without the Metropolis test. */
class Trajectory : public BatchedHMCIntegrator {
public:
    using BatchedHMCIntegrator::BatchedHMCIntegrator;
    void run() { integrate(); }
    void reverse() {
        for (double& v : velocities)
            v = -v;
    }
    void start(double stepSize) {
        for (int k = 0; k < getNumReplicas(); k++) {
            stepSizes[k] = stepSize;
            drawVelocities(k, 1, &velocities[offset(k)]);
            center(k);
        }
    }
};

TEST(BatchedHMCIntegrator, TrajectoriesAreReversible) {
    const auto system = makePeroxide();
    BatchedPotential potential(*system, Platform::getPlatformByName("Reference"), {{"Threads", "1"}});
    Trajectory trajectory(*system, potential, {300, 600}, 0.002, 50);
    trajectory.setPositions(makePeroxidePositions(2));
    trajectory.start(0.002);
    const std::vector<double> before = trajectory.getPositions();
    trajectory.run();
    double distance = 0;
    for (size_t i = 0; i < before.size(); i++)
        distance = std::max(distance, std::abs(trajectory.getPositions()[i] - before[i]));
    EXPECT_GT(distance, 0.01);
    trajectory.reverse();
    trajectory.run();
    for (size_t i = 0; i < before.size(); i++)
        EXPECT_NEAR(trajectory.getPositions()[i], before[i], 1e-11);
}

TEST(BatchedHMCIntegrator, TheEnergyErrorIsOfSecondOrder) {
    const auto system = makePeroxide();
    BatchedPotential potential(*system, Platform::getPlatformByName("Reference"), {{"Threads", "1"}});
    auto getError = [&](double stepSize, int steps) {
        BatchedHMCIntegrator integrator(*system, potential, std::vector<double>(20, 300.0), stepSize, steps,
                                        3);
        integrator.setStepSizeJitter(0);
        integrator.setPositions(makePeroxidePositions(20));
        integrator.step(1);
        double sum = 0;
        for (double error : integrator.getEnergyErrors())
            sum += error * error;
        return std::sqrt(sum / 20);
    };
    const double first = getError(0.002, 25), second = getError(0.001, 50), third = getError(0.0005, 100);
    EXPECT_NEAR(first / second, 4, 0.3);
    EXPECT_NEAR(second / third, 4, 0.1);
}

TEST(BatchedHMCIntegrator, RejectsAndCountsWhatIsNotFinite) {
    // Beyond 0.2 nm the energy is not a number.
    System system;
    system.addParticle(1);
    system.addParticle(1);
    auto* bond = new CustomBondForce("log(0.2-r)^2");
    bond->addBond(0, 1);
    system.addForce(bond);
    BatchedPotential potential(system, Platform::getPlatformByName("Reference"), {{"Threads", "1"}});
    BatchedHMCIntegrator integrator(system, potential, std::vector<double>(20, 3000.0), 0.02, 5);
    std::vector<double> positions(20 * 6, 0.0);
    for (int k = 0; k < 20; k++)
        positions[6 * k] = 0.1;
    integrator.setPositions(positions);
    integrator.step(20);
    long long nonFinite = 0;
    for (int k = 0; k < 20; k++) {
        EXPECT_TRUE(std::isfinite(integrator.getPotentialEnergies()[k]));
        EXPECT_LE(integrator.getNumAcceptances()[k] + integrator.getNumNonFinite()[k], 20);
        nonFinite += integrator.getNumNonFinite()[k];
    }
    EXPECT_GT(nonFinite, 20);
    EXPECT_EQ(integrator.getNumProposals(), 20);
}

TEST(BatchedHMCIntegrator, FollowsItsPotential) {
    // <k r^2/2> is 3/2 kT before and after: with energies of the old spring, nothing would ever be accepted.
    const int replicas = 2000;
    System system;
    system.addParticle(12);
    system.addParticle(3);
    auto* bond = new CustomBondForce("offset + k/2*r^2");
    bond->addGlobalParameter("k", SPRING);
    bond->addGlobalParameter("offset", 0);
    bond->addBond(0, 1);
    system.addForce(bond);
    BatchedPotential potential(system, Platform::getPlatformByName("Reference"), {{"Threads", "1"}});
    BatchedHMCIntegrator integrator(system, potential, std::vector<double>(replicas, 300.0), 0.01, 5, 4);
    std::vector<double> positions(replicas * 6, 0.0);
    integrator.setPositions(positions);
    integrator.step(30);
    potential.setParameter("k", 4 * SPRING);
    potential.setParameter("offset", 500);
    EXPECT_EQ(integrator.getPotentialEnergies(), potential.computeEnergies(integrator.getPositions()));
    integrator.resetStatistics();
    integrator.step(60);
    EXPECT_GT(getAcceptance(integrator), 0.3);
    const std::vector<double>& energies = integrator.getPotentialEnergies();
    const double mean = std::accumulate(energies.begin(), energies.end(), 0.0) / replicas, kT = BOLTZ * 300;
    EXPECT_NEAR(mean, 500 + 1.5 * kT, 4 * kT * std::sqrt(1.5 / replicas));
    // And a checkpoint is not mistaken for one of another potential.
    const std::string checkpoint = integrator.createCheckpoint();
    integrator.loadCheckpoint(checkpoint);
    potential.setParameter("k", SPRING);
    expectError([&] { integrator.loadCheckpoint(checkpoint); }, "not those of this potential");
    potential.setForceGroups(2);
    EXPECT_EQ(integrator.getPotentialEnergies(), std::vector<double>(replicas, 0.0));
}

TEST(BatchedHMCIntegrator, ThePilotFindsTheStepSize) {
    const auto system = makePeroxide();
    BatchedPotential potential(*system, {{"Threads", "2"}});
    BatchedHMCIntegrator integrator(*system, potential, std::vector<double>(64, 300.0), 0.001, 10);
    integrator.setPositions(makePeroxidePositions(64));
    for (double aim : {0.65, 0.9}) {
        const auto record = integrator.tuneStepSize(aim, 200);
        EXPECT_EQ(record.size(), 200u);
        EXPECT_EQ(integrator.getNumProposals(), 0);
        integrator.step(100);
        EXPECT_NEAR(getAcceptance(integrator), aim, 0.08);
    }
    const double stepSize = integrator.getStepSize();
    integrator.step(10);
    EXPECT_EQ(integrator.getStepSize(), stepSize);
}

TEST(BatchedHMCIntegrator, NeitherThreadsNorNeighboursMatter) {
    const auto system = makePeroxide();
    const std::vector<double> temperatures = {300, 350, 400, 450, 500};
    auto run = [&](int first, int count, const char* threads) {
        BatchedPotential potential(*system, {{"Threads", threads}});
        BatchedHMCIntegrator integrator(*system, potential,
                                        {temperatures.begin() + first, temperatures.begin() + first + count},
                                        0.004, 7, 9, first, {{"Threads", threads}});
        integrator.setPositions(makePeroxidePositions(count));
        integrator.step(50);
        return integrator.getPositions();
    };
    const std::vector<double> together = run(0, 5, "1");
    EXPECT_EQ(run(0, 5, "3"), together);
    std::vector<double> apart = run(0, 2, "2");
    const std::vector<double> rest = run(2, 3, "1");
    apart.insert(apart.end(), rest.begin(), rest.end());
    EXPECT_EQ(apart, together);
}

TEST(BatchedHMCIntegrator, GoesOnFromACheckpointBitByBit) {
    const auto system = makePeroxide();
    BatchedPotential potential(*system, {{"Threads", "1"}});
    BatchedHMCIntegrator integrator(*system, potential, {300, 600}, 0.004, 8, 5);
    integrator.setStepSizeJitter(0.2);
    integrator.setPositions(makePeroxidePositions(2));
    integrator.step(10);
    const std::string checkpoint = integrator.createCheckpoint();
    integrator.step(20);
    BatchedHMCIntegrator other(*system, potential, {200, 200}, 0.001, 1);
    other.loadCheckpoint(checkpoint);
    EXPECT_EQ(other.getDescription(), "HMC, step size 0.004 ps (jitter 0.2), 8 steps a proposal");
    other.step(20);
    EXPECT_EQ(other.createCheckpoint(), integrator.createCheckpoint());
}

TEST(BatchedHMCIntegrator, RefusesWhatItCannotDo) {
    const auto system = makePeroxide();
    BatchedPotential potential(*system, {{"Threads", "1"}});
    expectError([&] { BatchedHMCIntegrator(*system, potential, {300}, 0.001, 0); }, "at least one step");
    BatchedHMCIntegrator integrator(*system, potential, {300}, 0.001, 5);
    expectError([&] { integrator.setStepSizeJitter(1); }, "jitter");
    expectError([&] { integrator.step(1); }, "call setPositions() first");
    expectError([&] { integrator.tuneStepSize(0.8, 10); }, "call setPositions() first");
    integrator.setPositions(makePeroxidePositions(1));
    expectError([&] { integrator.tuneStepSize(1, 10); }, "between 0 and 1");
    expectError([&] { integrator.step(-1); }, "must not be negative");
}

}  // namespace
