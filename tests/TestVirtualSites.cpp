// BatchedPotential with virtual sites, against OpenMM's Reference platform.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "openmm/Context.h"
#include "openmm/HarmonicBondForce.h"
#include "openmm/NonbondedForce.h"
#include "openmm/State.h"
#include "openmm/VerletIntegrator.h"
#include "openmm/VirtualSite.h"
#include "openmmflow/BatchedPotential.h"

using namespace OpenMM;
using namespace OpenMMFlow;

namespace {

const int NUM_PARTICLES = 7, SIZE = 3 * NUM_PARTICLES, SITE_OF_A_SITE = 5, SITE = 6;

struct Kind {
    std::string name;
    std::function<VirtualSite*()> make;
};

/** The weights of axes add up to zero, partial sums exact, so that parents in one place have none. */
const Kind kinds[] = {
    {"TwoParticleAverage", [] { return new TwoParticleAverageSite(0, 2, 0.3, 0.7); }},
    {"WeightsThatDoNotAddUpToOne", [] { return new TwoParticleAverageSite(0, 2, 0.3, 0.6); }},
    {"ThreeParticleAverage", [] { return new ThreeParticleAverageSite(0, 1, 2, 0.5, 0.2, 0.3); }},
    {"OutOfPlane", [] { return new OutOfPlaneSite(0, 1, 2, 0.2, 0.5, -3.0); }},
    {"LocalCoordinates",
     [] {
         return new LocalCoordinatesSite(0, 1, 2, Vec3(0.5, 0.2, 0.3), Vec3(-1, 0.5, 0.5), Vec3(0.5, -1, 0.5),
                                         Vec3(0.05, -0.08, 0.1));
     }},
    {"LocalCoordinatesOfTwo",
     [] {
         return new LocalCoordinatesSite({0, 1}, {1, 0}, {-1, 1}, {0, 0}, Vec3(0.1, 0.2, 0.3));
     }},
    {"LocalCoordinatesOfFour",
     [] {
         return new LocalCoordinatesSite({0, 1, 2, 3}, {0.1, 0.2, 0.3, 0.4}, {-1, 0.5, 0.25, 0.25},
                                         {0.5, -1, 0.25, 0.25}, Vec3(0.1, 0.02, -0.05));
     }},
    {"Symmetry",
     [] {
         return new SymmetrySite(0, Vec3(0, -1, 0), Vec3(0.6, 0, 0.8), Vec3(-0.8, 0, 0.6), Vec3(-2, 0.1, 3),
                                 false);
     }},
};

/** Five particles, a virtual site of four of them, and before it a site of that site. */
std::unique_ptr<System> makeSystem(VirtualSite* site, bool isCharged = true) {
    auto system = std::make_unique<System>();
    auto* bonds = new HarmonicBondForce();
    for (int i = 0; i < NUM_PARTICLES; i++)
        system->addParticle(i < SITE_OF_A_SITE ? 12.0 : 0.0);
    for (int i = 1; i < SITE_OF_A_SITE; i++)
        bonds->addBond(i - 1, i, 0.3, 1000.0);
    bonds->addBond(4, SITE_OF_A_SITE, 0.4, 300.0);
    bonds->addBond(4, SITE, 0.5, 200.0);
    bonds->addBond(1, SITE, 0.2, 100.0);
    system->addForce(bonds);
    if (isCharged) {
        auto* nonbonded = new NonbondedForce();
        for (int i = 0; i < NUM_PARTICLES; i++)
            nonbonded->addParticle(0.1 * i - 0.3, 0.2, 0.5);
        for (int i = 0; i < NUM_PARTICLES; i++)
            for (int j = 0; j < i; j++)
                if (i != 4 && j != 4)
                    nonbonded->addException(i, j, 0, 1, 0);
        system->addForce(nonbonded);
    }
    system->setVirtualSite(SITE, site);
    system->setVirtualSite(SITE_OF_A_SITE, new TwoParticleAverageSite(SITE, 1, 0.4, 0.6));
    return system;
}

/** Perturbed configurations away from the origin, with any numbers for the sites. */
std::vector<double> makePositions(int count, double site = 0) {
    const double start[5][3] = {
        {1.0, -2.0, 3.0}, {1.3, -2.0, 3.0}, {1.1, -1.7, 3.0}, {1.1, -1.8, 3.3}, {1.5, -1.4, 3.2}};
    std::mt19937 generator(7);
    std::normal_distribution<double> normal;
    std::vector<double> positions;
    for (int k = 0; k < count; k++)
        for (int i = 0; i < SIZE; i++)
            positions.push_back(i < 3 * SITE_OF_A_SITE ? start[i / 3][i % 3] + 0.02 * normal(generator)
                                                       : site);
    return positions;
}

struct Evaluation {
    std::vector<double> energies, forces;
    explicit Evaluation(BatchedPotential& potential, const std::vector<double>& positions) {
        potential.computeEnergiesAndForces(positions, energies, forces);
    }
    Evaluation(const System& system, const std::vector<double>& positions) {
        VerletIntegrator integrator(0.001);
        Context context(system, integrator, Platform::getPlatformByName("Reference"));
        std::vector<Vec3> configuration(NUM_PARTICLES);
        for (size_t start = 0; start < positions.size(); start += SIZE) {
            for (int i = 0; i < SIZE; i++)
                configuration[i / 3][i % 3] = positions[start + i];
            context.setPositions(configuration);
            context.computeVirtualSites();
            const State state = context.getState(State::Energy | State::Forces);
            energies.push_back(state.getPotentialEnergy());
            for (const Vec3& force : state.getForces())
                for (int j = 0; j < 3; j++)
                    forces.push_back(force[j]);
        }
    }
    void expectNear(const Evaluation& expected, double tolerance) const {
        ASSERT_EQ(energies.size(), expected.energies.size());
        ASSERT_EQ(forces.size(), expected.forces.size());
        for (size_t k = 0; k < energies.size(); k++) {
            double largest = 0;
            for (int i = 0; i < SIZE; i++)
                largest = std::max(largest, std::abs(expected.forces[k * SIZE + i]));
            EXPECT_NEAR(energies[k], expected.energies[k], 0.1 * tolerance * largest) << k;
            for (int i = 0; i < SIZE; i++)
                EXPECT_NEAR(forces[k * SIZE + i], expected.forces[k * SIZE + i], tolerance * largest)
                    << k << ", " << i;
        }
    }
    /** The evaluation of one configuration. */
    std::vector<double> get(int k) const {
        std::vector<double> result(forces.begin() + k * SIZE, forces.begin() + (k + 1) * SIZE);
        result.push_back(energies[k]);
        return result;
    }
};

bool areFinite(const std::vector<double>& values) {
    return std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); });
}

/** Where the energies are computed, and how precisely. */
struct Choice {
    std::string platform, precision;
    double tolerance;
    BatchedPotential make(const System& system, const std::string& implementation = "batched") const {
        std::map<std::string, std::string> properties = {{"Implementation", implementation}};
        if (implementation == "batched")
            properties["Precision"] = precision;
        return BatchedPotential(system, Platform::getPlatformByName(platform), properties);
    }
};

const Choice choices[] = {{"Reference", "double", 1e-10}, {"CPU", "double", 1e-10}, {"CPU", "single", 2e-5}};

class OfEachKind : public testing::TestWithParam<Kind> {};

TEST_P(OfEachKind, AgreesWithOpenMM) {
    const auto system = makeSystem(GetParam().make());
    const std::vector<double> positions = makePositions(20);
    const Evaluation expected(*system, positions);
    for (const Choice& choice : choices) {
        BatchedPotential potential = choice.make(*system);
        EXPECT_EQ(potential.getImplementation(), "batched");
        Evaluation(potential, positions).expectNear(expected, choice.tolerance);
    }
}

TEST_P(OfEachKind, WhatIsGivenForASiteIsIgnored) {
    const auto system = makeSystem(GetParam().make());
    const int count = 20;
    for (const Choice& choice : choices)
        for (const char* implementation : {"batched", "contexts"}) {
            BatchedPotential potential = choice.make(*system, implementation);
            const Evaluation expected(potential, makePositions(count));
            for (double given :
                 {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 1e300}) {
                std::vector<double> positions = makePositions(count, given);
                const Evaluation ignored(potential, positions);
                EXPECT_EQ(ignored.energies, expected.energies);
                EXPECT_EQ(ignored.forces, expected.forces);
                // What is given for a parent is not.
                positions[3 * SIZE + 1] = given;
                const Evaluation spoiled(potential, positions);
                EXPECT_EQ(spoiled.get(2), expected.get(2));
                EXPECT_FALSE(std::isfinite(spoiled.energies[3]));
                EXPECT_EQ(spoiled.get(4), expected.get(4));
            }
        }
}

INSTANTIATE_TEST_SUITE_P(VirtualSites, OfEachKind, testing::ValuesIn(kinds),
                         [](const testing::TestParamInfo<Kind>& info) { return info.param.name; });

TEST(VirtualSites, ParentsOnALineOrInOnePlaceSpoilNothing) {
    const int count = 20, onALine = 5, inOnePlace = 9;
    for (const Kind& kind : kinds) {
        // Without Coulomb's law, particles in one place have a finite energy.
        const auto system = makeSystem(kind.make(), false);
        std::vector<double> positions = makePositions(count);
        const std::vector<double> good = positions;
        for (int i = 0; i < 3 * 4; i++) {
            positions[onALine * SIZE + i] = i % 3 == 0 ? 0.3 * (i / 3) : 0.0;
            positions[inOnePlace * SIZE + i] = 0.5;
        }
        const Evaluation expected(*system, positions);
        for (const Choice& choice : choices) {
            BatchedPotential potential = choice.make(*system);
            const Evaluation result(potential, positions), without(potential, good);
            if (choice.precision == "double") {
                // The force of a bond of no length has the direction of round-off.
                Evaluation compared = result;
                std::copy_n(&expected.forces[inOnePlace * SIZE], SIZE, &compared.forces[inOnePlace * SIZE]);
                compared.expectNear(expected, choice.tolerance);
            }
            for (int k = 0; k < count; k++)
                if (k == onALine || k == inOnePlace)
                    EXPECT_TRUE(areFinite(result.get(k))) << kind.name;
                else
                    EXPECT_EQ(result.get(k), without.get(k)) << kind.name;
        }
    }
}

TEST(VirtualSites, SinglePrecisionHoldsFarFromTheOrigin) {
    for (const Kind& kind : kinds) {
        if (kind.name == "WeightsThatDoNotAddUpToOne" || kind.name == "Symmetry")
            continue;
        const auto system = makeSystem(kind.make());
        std::vector<double> positions = makePositions(20, 1e30);
        const Evaluation expected(*system, positions);
        for (double& x : positions)
            x += 512;
        BatchedPotential potential = choices[2].make(*system);
        Evaluation(potential, positions).expectNear(expected, choices[2].tolerance);
    }
}

TEST(VirtualSites, ThoseInBoxVectorsAreLeftToOpenMM) {
    const auto system =
        makeSystem(new SymmetrySite(0, Vec3(1, 0, 0), Vec3(0, -1, 0), Vec3(0, 0, -1), Vec3(0.1, 0, 0), true));
    BatchedPotential potential(*system, Platform::getPlatformByName("Reference"));
    EXPECT_EQ(potential.getImplementation(), "contexts: a SymmetrySite that uses box vectors");
    const std::vector<double> positions = makePositions(3);
    Evaluation(potential, positions).expectNear(Evaluation(*system, positions), 1e-12);
}

}  // namespace
