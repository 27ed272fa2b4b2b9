// The energies and forces of many copies of a System at once, against one Context.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "ExpectError.h"
#include "openmm/Context.h"
#include "openmm/CustomBondForce.h"
#include "openmm/CustomExternalForce.h"
#include "openmm/HarmonicBondForce.h"
#include "openmm/NonbondedForce.h"
#include "openmm/OpenMMException.h"
#include "openmm/State.h"
#include "openmm/VerletIntegrator.h"
#include "openmm/serialization/XmlSerializer.h"
#include "openmmflow/BatchedPotential.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;

namespace {

const double infinity = std::numeric_limits<double>::infinity();
const double notANumber = std::numeric_limits<double>::quiet_NaN();

/** Argon-like particles, some of them bonded. */
std::unique_ptr<System> makeSystem(int numParticles, NonbondedForce::NonbondedMethod method) {
    auto system = std::make_unique<System>();
    auto* nonbonded = new NonbondedForce();
    auto* bonds = new HarmonicBondForce();
    for (int i = 0; i < numParticles; i++) {
        system->addParticle(40.0);
        nonbonded->addParticle(i % 2 == 0 ? 0.2 : -0.2, 0.3, 0.8);
        if (i % 2 == 1) {
            bonds->addBond(i - 1, i, 0.15, 1000.0);
            nonbonded->addException(i - 1, i, 0, 1, 0);
        }
    }
    nonbonded->setNonbondedMethod(method);
    nonbonded->setCutoffDistance(0.7);
    system->addForce(nonbonded);
    system->addForce(bonds);
    return system;
}

/** Configurations on a loose grid, perturbed. */
std::vector<double> makePositions(int count, int numParticles) {
    std::mt19937 generator(5);
    std::normal_distribution<double> normal;
    std::vector<double> positions;
    for (int k = 0; k < count; k++)
        for (int i = 0; i < numParticles; i++) {
            positions.push_back(0.35 * (i % 3) + 0.03 * normal(generator));
            positions.push_back(0.35 * (i / 3 % 3) + 0.03 * normal(generator));
            positions.push_back(0.35 * (i / 9) + 0.03 * normal(generator));
        }
    return positions;
}

struct OneByOne {
    std::vector<double> energies, forces;
};

OneByOne evaluateOneByOne(const System& system, Platform& platform, const std::vector<double>& positions) {
    VerletIntegrator integrator(0.001);
    Context context(system, integrator, platform);
    OneByOne result;
    std::vector<Vec3> configuration(system.getNumParticles());
    for (size_t start = 0; start < positions.size(); start += 3 * configuration.size()) {
        for (size_t i = 0; i < configuration.size(); i++)
            configuration[i] =
                Vec3(positions[start + 3 * i], positions[start + 3 * i + 1], positions[start + 3 * i + 2]);
        context.setPositions(configuration);
        const State state = context.getState(State::Energy | State::Forces);
        result.energies.push_back(state.getPotentialEnergy());
        for (const Vec3& force : state.getForces())
            for (int j = 0; j < 3; j++)
                result.forces.push_back(force[j]);
    }
    return result;
}

std::string messageOf(const std::function<void()>& action) {
    try {
        action();
    } catch (const OpenMMException& e) {
        return e.what();
    }
    return "no exception";
}

struct Choice {
    std::string platform, implementation;
};

class OnPlatform : public testing::TestWithParam<Choice> {
protected:
    BatchedPotential make(const System& system, const std::string& threads) const {
        return BatchedPotential(system, platform,
                                {{"Threads", threads}, {"Implementation", GetParam().implementation}});
    }
    Platform& platform = Platform::getPlatformByName(GetParam().platform);
    // CPU computes in single precision.
    double tolerance = GetParam().platform == "CPU" ? 2e-5 : 1e-12;
};

TEST_P(OnPlatform, AgreesWithAContextForAnyThreadsAndBatch) {
    const int count = 75, numParticles = 12;
    auto system = makeSystem(numParticles, NonbondedForce::NoCutoff);
    const std::vector<double> positions = makePositions(count, numParticles);
    const OneByOne expected = evaluateOneByOne(*system, platform, positions);
    std::vector<double> first;
    for (const char* threads : {"1", "2", "3", "16"}) {
        BatchedPotential potential = make(*system, threads);
        std::vector<double> energies, forces;
        potential.computeEnergiesAndForces(positions, energies, forces);
        ASSERT_EQ(energies.size(), expected.energies.size());
        ASSERT_EQ(forces.size(), expected.forces.size());
        for (size_t i = 0; i < energies.size(); i++)
            EXPECT_NEAR(energies[i], expected.energies[i], tolerance * (1 + std::abs(expected.energies[i])));
        for (size_t i = 0; i < forces.size(); i++)
            EXPECT_NEAR(forces[i], expected.forces[i], 10 * tolerance * (1 + std::abs(expected.forces[i])));
        if (first.empty())
            first = energies;
        // Neither the threads, nor the neighbours in the batch, nor the wish for forces make a difference.
        EXPECT_EQ(energies, first);
        const std::vector<double> part(positions.begin() + 40 * 3 * numParticles,
                                       positions.begin() + 43 * 3 * numParticles);
        EXPECT_EQ(potential.computeEnergies(part),
                  std::vector<double>(first.begin() + 40, first.begin() + 43));
    }
}

TEST_P(OnPlatform, BadConfigurationsSpoilOnlyThemselves) {
    const int count = 20, numParticles = 6;
    auto system = makeSystem(numParticles, NonbondedForce::CutoffNonPeriodic);
    std::vector<double> positions = makePositions(count, numParticles);
    BatchedPotential potential = make(*system, "2");
    const std::vector<double> good = potential.computeEnergies(positions);
    positions[3 * numParticles * 4 + 1] = notANumber;
    positions[3 * numParticles * 11] = infinity;
    std::vector<double> energies, forces;
    potential.computeEnergiesAndForces(positions, energies, forces);
    for (int k = 0; k < count; k++) {
        if (k == 4 || k == 11) {
            EXPECT_TRUE(std::isnan(energies[k]));
            EXPECT_TRUE(std::isnan(forces[3 * numParticles * k]));
        } else {
            // CPU may take over the neighbour list of the configuration before, which it sums in another
            // order.
            EXPECT_NEAR(energies[k], good[k], tolerance * (1 + std::abs(good[k]))) << k;
            EXPECT_TRUE(std::isfinite(forces[3 * numParticles * k]));
        }
    }
}

TEST_P(OnPlatform, CoincidingParticlesHaveNoFiniteEnergy) {
    auto system = makeSystem(6, NonbondedForce::NoCutoff);
    std::vector<double> positions = makePositions(3, 6);
    BatchedPotential potential = make(*system, "1");
    const std::vector<double> good = potential.computeEnergies(positions);
    std::copy_n(&positions[18], 3, &positions[18 + 6]);
    const std::vector<double> energies = potential.computeEnergies(positions);
    EXPECT_FALSE(std::isfinite(energies[1]));
    EXPECT_EQ(energies[0], good[0]);
    EXPECT_EQ(energies[2], good[2]);
}

INSTANTIATE_TEST_SUITE_P(BatchedPotential, OnPlatform,
                         testing::Values(Choice{"Reference", "batched"}, Choice{"CPU", "batched"},
                                         Choice{"Reference", "contexts"}, Choice{"CPU", "contexts"}));

TEST(BatchedPotential, TheSystemIsCopied) {
    auto system = makeSystem(6, NonbondedForce::NoCutoff);
    const std::vector<double> positions = makePositions(2, 6);
    BatchedPotential potential(*system);
    const std::vector<double> before = potential.computeEnergies(positions);
    system.reset();
    EXPECT_EQ(potential.computeEnergies(positions), before);
}

TEST(BatchedPotential, AnEmptyBatchIsFine) {
    BatchedPotential potential(*makeSystem(6, NonbondedForce::NoCutoff));
    std::vector<double> energies(3), forces(3);
    potential.computeEnergiesAndForces({}, energies, forces);
    EXPECT_TRUE(energies.empty());
    EXPECT_TRUE(forces.empty());
}

TEST(BatchedPotential, TwoPotentialsWorkAtOnce) {
    auto system = makeSystem(8, NonbondedForce::NoCutoff);
    const std::vector<double> positions = makePositions(200, 8);
    BatchedPotential alone(*system, {{"Threads", "1"}});
    const std::vector<double> expected = alone.computeEnergies(positions);
    std::vector<std::vector<double>> results(2);
    {
        std::vector<std::jthread> threads;
        for (std::vector<double>& result : results)
            threads.emplace_back([&] {
                result = BatchedPotential(*system, {{"Threads", "2"}}).computeEnergies(positions);
            });
    }
    EXPECT_EQ(results[0], expected);
    EXPECT_EQ(results[1], expected);
}

TEST(BatchedPotential, ContextsAreOnThePlatformThatSuitsTheForces) {
    auto choice = [](const System& system) {
        return BatchedPotential(system, {{"Threads", "2"}, {"Implementation", "contexts"}}).getDescription();
    };
    EXPECT_EQ(choice(*makeSystem(22, NonbondedForce::NoCutoff)), "contexts: Reference, 2 threads");
    EXPECT_EQ(choice(*makeSystem(61, NonbondedForce::NoCutoff)), "contexts: CPU, single, 2 threads");
    EXPECT_EQ(choice(*makeSystem(22, NonbondedForce::CutoffPeriodic)), "contexts: CPU, single, 2 threads");
    auto custom = makeSystem(22, NonbondedForce::NoCutoff);
    custom->addForce(new CustomBondForce("r^2"));
    EXPECT_EQ(choice(*custom), "contexts: Reference, 2 threads");
    custom->addForce(new CustomExternalForce("x^2"));
    EXPECT_EQ(choice(*custom), "contexts: CPU, single, 2 threads");
}

TEST(BatchedPotential, SaysWhatItUses) {
    auto system = makeSystem(22, NonbondedForce::NoCutoff);
    BatchedPotential batched(*system, {{"Threads", "2"}});
    EXPECT_EQ(batched.getImplementation(), "batched");
    EXPECT_EQ(batched.getDescription(), "batched: CPU, single, 2");
    BatchedPotential asked(*system, {{"Implementation", "contexts"}});
    EXPECT_EQ(asked.getImplementation(), "contexts: as asked for");
    system = makeSystem(22, NonbondedForce::CutoffPeriodic);
    testing::internal::CaptureStderr();
    BatchedPotential periodic(*system, {{"Precision", "double"}});
    EXPECT_EQ(periodic.getImplementation(), "contexts: NonbondedForce with periodic boundary conditions");
    const std::string log = testing::internal::GetCapturedStderr();
    EXPECT_NE(log.find("because of NonbondedForce with periodic boundary conditions.\n"), std::string::npos)
        << log;
    EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1);
}

TEST(BatchedPotential, LeavesWhatSinglePrecisionCannotDoToContexts) {
    // (1e4 + r)^2 - 1e8 - 2e4 r is r^2, which nothing is left of.
    auto system = makeSystem(22, NonbondedForce::NoCutoff);
    auto* bond = new CustomBondForce("(10000+r)^2-100000000-20000*r");
    bond->setName("cancelling");
    bond->addBond(0, 1);
    system->addForce(bond);
    BatchedPotential exact(*system, {{"Precision", "double"}});
    EXPECT_EQ(exact.getImplementation(), "batched");
    testing::internal::CaptureStderr();
    BatchedPotential inexact(*system);
    testing::internal::GetCapturedStderr();
    EXPECT_EQ(inexact.getImplementation(),
              "contexts: cancelling, which the platform computes too inaccurately");
    const std::map<std::string, std::string> twice = {{"Precision", "double"},
                                                      {"Implementation", "contexts"}};
    expectError([&] { BatchedPotential(*system, Platform::getPlatformByName("CPU"), twice); },
                "single precision: choose Reference");
    EXPECT_EQ(BatchedPotential(*system, twice).getDescription().find("contexts: Reference"), 0u);
}

TEST(BatchedPotential, AlanineDipeptide) {
    const char* source = std::getenv("OPENMMFLOW_SOURCE_DIR");
    ASSERT_NE(source, nullptr) << "Run this test through ctest.";
    std::ifstream file(std::string(source) + "/examples/alanine-dipeptide/vacuum/system.xml");
    std::unique_ptr<System> system(XmlSerializer::deserialize<System>(file));
    const std::vector<double> positions = makePositions(50, 22);
    const std::vector<double> expected =
        evaluateOneByOne(*system, Platform::getPlatformByName("Reference"), positions).energies;
    BatchedPotential contexts(*system, {{"Threads", "2"}, {"Implementation", "contexts"}});
    EXPECT_EQ(contexts.computeEnergies(positions), expected);
    BatchedPotential batched(*system, Platform::getPlatformByName("Reference"));
    EXPECT_EQ(batched.getImplementation(), "batched");
    EXPECT_EQ(batched.getNumParticles(), 22);
    const std::vector<double> energies = batched.computeEnergies(positions);
    for (size_t k = 0; k < energies.size(); k++)
        EXPECT_NEAR(energies[k], expected[k], 1e-10 * std::abs(expected[k]));
}

TEST(BatchedPotential, RefusesWhatItCannotUnderstand) {
    auto system = makeSystem(6, NonbondedForce::NoCutoff);
    BatchedPotential potential(*system);
    EXPECT_EQ(messageOf([&] { potential.computeEnergies(std::vector<double>(20)); }),
              "The System has 6 particles, so positions must hold 18 numbers for each configuration; 20 is "
              "not a multiple "
              "of that.");
    EXPECT_EQ(messageOf([&] {
                  BatchedPotential(*system, {{"Threads", "none"}});
              }),
              "The property Threads must be a whole number from 1 to 1024, not \"none\".");
    EXPECT_EQ(messageOf([&] {
                  BatchedPotential(*system, {{"Colour", "red"}});
              }),
              "The kernels of the CPU platform have no property \"Colour\"; they know InstructionSet, "
              "Precision, Threads.");
    EXPECT_EQ(messageOf([&] {
                  BatchedPotential(*system, {{"Implementation", "fast"}});
              }),
              "The property Implementation must be batched or contexts, not \"fast\".");
    EXPECT_EQ(messageOf([&] { BatchedPotential(*makeSystem(0, NonbondedForce::NoCutoff)); }),
              "The System has no particles.");
}

}  // namespace
