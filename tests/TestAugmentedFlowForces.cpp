// Flows with augmented particles in a simulation: the Force with the particles in the System, and moves.

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "ExpectContextError.h"
#include "ExpectError.h"
#include "FlowMoveChain.h"
#include "RandomCouplingFlow.h"
#include "openmm/Context.h"
#include "openmm/CustomBondForce.h"
#include "openmm/CustomCompoundBondForce.h"
#include "openmm/CustomGBForce.h"
#include "openmm/CustomNonbondedForce.h"
#include "openmm/GayBerneForce.h"
#include "openmm/LangevinMiddleIntegrator.h"
#include "openmm/NonbondedForce.h"
#include "openmm/VerletIntegrator.h"
#include "openmm/reference/SimTKOpenMMRealType.h"
#include "openmmflow/AugmentedParticles.h"
#include "openmmflow/BoltzmannGeneratorForce.h"
#include "openmmflow/FlowContext.h"
#include "openmmflow/MonteCarloFlowMove.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;

namespace {

const double temperature = 300, kT = BOLTZ * temperature;

std::vector<int> firstParticles(int count) {
    std::vector<int> result;
    for (int i = 0; i < count; i++)
        result.push_back(i);
    return result;
}

std::vector<Vec3> toVec3(const std::vector<double>& x) {
    std::vector<Vec3> result;
    for (size_t i = 0; i < x.size(); i += 3)
        result.emplace_back(x[i], x[i + 1], x[i + 2]);
    return result;
}

class AugmentedForce : public testing::TestWithParam<CouplingVariant> {
protected:
    const Flow flow = makeRandomCouplingFlow(GetParam(), 5);
    const int n = flow.getNumParticles(), numAugmented = flow.getNumAugmentedParticles();
    const bool isPlanar = GetParam().dimensions == 2;
    System system;

    void SetUp() override {
        for (int i = 0; i < n; i++)
            system.addParticle(10);
    }
    double getEnergy(Context& context, std::vector<Vec3>* forces = nullptr) {
        const State state = context.getState(State::Energy | State::Forces);
        if (forces != nullptr)
            *forces = state.getForces();
        return state.getPotentialEnergy();
    }
};

TEST_P(AugmentedForce, EnergiesAreThoseOfTheJointDensityAndOfTheConditional) {
    std::vector<int> particles = firstParticles(n);
    const std::vector<int> added = AugmentedParticles::addTo(system, flow, particles, temperature);
    ASSERT_EQ((int)added.size(), numAugmented);
    particles.insert(particles.end(), added.begin(), added.end());
    system.addForce(new BoltzmannGeneratorForce(flow, particles, temperature));
    VerletIntegrator integrator(0.001);
    Context context(system, integrator, Platform::getPlatformByName("Reference"));
    FlowContext reference(flow, Platform::getPlatformByName("Reference"));
    std::vector<double> joint, logQ, gradient, x, logWeightQ;
    reference.sampleJoint(3, joint, logQ, 8);
    reference.sample(3, x, logWeightQ, 8);
    for (int k = 0; k < 3; k++) {
        std::vector<double> one(joint.begin() + 3 * (n + numAugmented) * k,
                                joint.begin() + 3 * (n + numAugmented) * (k + 1));
        std::vector<Vec3> positions = toVec3(one), forces;
        for (Vec3& r : positions)
            r += Vec3(3, -2, 1);
        context.setPositions(positions);
        const double logConditional = logQ[k] - logWeightQ[k];
        for (auto [flowScale, conditionalScale] : {std::pair{1.0, 0.0}, {0.0, 1.0}, {0.3, 0.6}}) {
            context.setParameter(BoltzmannGeneratorForce::Scale(), flowScale);
            context.setParameter(AugmentedParticles::Scale(), conditionalScale);
            EXPECT_NEAR(getEnergy(context, &forces),
                        -kT * (flowScale * logQ[k] + conditionalScale * logConditional), 1e-7);
        }
        context.setParameter(BoltzmannGeneratorForce::Scale(), 1);
        context.setParameter(AugmentedParticles::Scale(), 0);
        getEnergy(context, &forces);
        reference.computeJointLogDensityGradient(one, logQ, gradient);
        double largest = 0;
        for (double g : gradient)
            largest = std::max(largest, kT * std::abs(g));
        for (size_t i = 0; i < forces.size(); i++)
            for (int axis = 0; axis < 3; axis++)
                EXPECT_NEAR(forces[i][axis], kT * gradient[3 * i + axis], 1e-6 * largest);
        reference.sampleJoint(3, joint, logQ, 8);
    }
}

/** Moves alone, of particles that springs tie to each other in all pairs: a Gaussian. */
TEST_P(AugmentedForce, MovesConvergeToTheTarget) {
    if (n > 4 || GetParam().bonds)
        GTEST_SKIP() << "few proposals would be accepted";
    const double unit = GetParam().lengthUnit, width = 0.9 * unit;
    auto* springs = new CustomCompoundBondForce(
        2, std::string("0.5*k*((x1-x2)^2+(y1-y2)^2") + (isPlanar ? ")" : "+(z1-z2)^2)"));
    springs->addPerBondParameter("k");
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++)
            springs->addBond({i, j}, {kT / (n * width * width)});
    system.addForce(springs);
    auto* move = new MonteCarloFlowMove(makeRandomCouplingFlow(GetParam(), 5, 0.12), temperature, 1);
    move->setRandomNumberSeed(9);
    move->setNumProposals(6);
    system.addForce(move);
    auto integrator = makeIdleIntegrator();
    Context context(system, *integrator, Platform::getPlatformByName("Reference"));
    std::vector<Vec3> positions;
    for (int i = 0; i < n; i++)
        positions.push_back(Vec3(0.5 * i, 0.3 * i * i, 0.1 * i) * unit);
    context.setPositions(positions);
    // The energy is half a kT for each of the (n-1) D relative coordinates; so is each coordinate's part.
    const int count = 6000;
    Series energies, spread;
    for (int k = 0; k < count; k++) {
        integrator->step(1);
        const State state = context.getState(State::Energy | State::Positions);
        energies.add(state.getPotentialEnergy() / kT);
        const std::vector<Vec3> r = state.getPositions();
        spread.add(std::pow((r[0][0] - r[n - 1][0]) / width, 2));
        if (isPlanar && k == count - 1) {
            for (int i = 0; i < n; i++)
                EXPECT_EQ(r[i][2], 0.1 * i * unit) << "flows in two dimensions leave z as it is";
        }
    }
    const double degrees = (isPlanar ? 2 : 3) * (n - 1);
    EXPECT_NEAR(energies.getMean(), 0.5 * degrees, 4 * energies.getError());
    EXPECT_NEAR(spread.getMean(), 2, 4 * spread.getError());
    EXPECT_LT(energies.getError(), 0.1);
    EXPECT_GT(move->getStatistics(context).getAcceptance(), 0.05);
}

INSTANTIATE_TEST_SUITE_P(Variants, AugmentedForce, testing::ValuesIn(getCouplingVariants()),
                         [](const auto& info) { return info.param.name; });

/** At scale 1, with nothing else, x and a have the distribution of the flow: here a Gaussian. */
TEST(AugmentedParticles, DynamicsWithTheForceSampleTheFlow) {
    EquivariantCouplingOptions options;
    options.layers = 1;
    options.hidden = options.features = options.headHidden = 6;
    options.baseScale = 0.2;
    options.augmentedScale = 0.1;
    const Flow flow = FlowBuilder::createEquivariantCoupling({0, 0, 0}, options);
    System system;
    for (int i = 0; i < 3; i++)
        system.addParticle(12);
    std::vector<int> particles = firstParticles(3);
    for (int added : AugmentedParticles::addTo(system, flow, particles, temperature, 5))
        particles.push_back(added);
    system.addForce(new BoltzmannGeneratorForce(flow, particles, temperature));
    LangevinMiddleIntegrator integrator(temperature, 5, 0.02);
    integrator.setRandomNumberSeed(3);
    Context context(system, integrator, Platform::getPlatformByName("Reference"));
    context.setParameter(AugmentedParticles::Scale(), 0);
    std::vector<double> x = {0.25, 0, 0, -0.2, 0.1, 0, 0, -0.15, 0.3};
    const std::vector<double> a = AugmentedParticles::drawPositions(flow, x, 4);
    ASSERT_EQ(a.size(), 9u);
    x.insert(x.end(), a.begin(), a.end());
    context.setPositions(toVec3(x));
    Series spread, tie;
    for (int k = 0; k < 8000; k++) {
        integrator.step(5);
        const std::vector<Vec3> r = context.getState(State::Positions).getPositions();
        const Vec3 between = r[0] - r[1], toCopy = r[3] - r[0];
        spread.add(between.dot(between));
        tie.add(toCopy.dot(toCopy));
    }
    EXPECT_NEAR(spread.getMean(), 6 * 0.2 * 0.2, 4 * spread.getError());
    EXPECT_NEAR(tie.getMean(), 3 * 0.1 * 0.1, 4 * tie.getError());
    EXPECT_LT(spread.getError(), 0.05 * spread.getMean());
    EXPECT_LT(tie.getError(), 0.03 * tie.getMean());
}

TEST(AugmentedParticles, TakeNoPartInNonbondedForces) {
    const Flow flow = makeRandomCouplingFlow(getEquivariantVariants()[0], 2);
    auto makeSystem = [&] {
        auto system = std::make_unique<System>();
        auto* nonbonded = new NonbondedForce();
        auto* custom = new CustomNonbondedForce("a1*a2/r");
        auto* gayBerne = new GayBerneForce();
        custom->addPerParticleParameter("a");
        for (int i = 0; i < 5; i++) {
            system->addParticle(1);
            nonbonded->addParticle(0.3, 0.1, 0.5);
            custom->addParticle({1.0 + i});
            gayBerne->addParticle(0.3, 0.2, -1, -1, 0.3, 0.3, 0.3, 1, 1, 1);
        }
        system->addForce(nonbonded);
        system->addForce(custom);
        system->addForce(gayBerne);
        return system;
    };
    auto plain = makeSystem(), augmented = makeSystem();
    const std::vector<int> added = AugmentedParticles::addTo(*augmented, flow, {4, 0, 2, 1}, temperature);
    EXPECT_EQ(added, (std::vector<int>{5, 6, 7, 8}));
    std::vector<Vec3> positions = {{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 1}};
    VerletIntegrator first(0.001), second(0.001);
    Context plainContext(*plain, first, Platform::getPlatformByName("Reference")),
        context(*augmented, second, Platform::getPlatformByName("Reference"));
    plainContext.setPositions(positions);
    for (int particle : {4, 0, 2, 1})
        positions.push_back(positions[particle] + Vec3(0.02, 0.01, 0));
    context.setPositions(positions);
    context.setParameter(AugmentedParticles::Scale(), 0);
    const double expected = plainContext.getState(State::Energy).getPotentialEnergy();
    EXPECT_NEAR(context.getState(State::Energy).getPotentialEnergy(), expected, 1e-9);
    // Where their density is largest.
    for (int k = 0; k < 4; k++)
        positions[5 + k] = positions[std::vector<int>{4, 0, 2, 1}[k]];
    context.setPositions(positions);
    const State state = context.getState(State::Energy | State::Forces);
    EXPECT_NEAR(state.getPotentialEnergy(), expected, 1e-9);
    for (const Vec3& force : state.getForces())
        EXPECT_TRUE(std::isfinite(force.dot(force)));
}

TEST(AugmentedParticles, BelongToTheMolecule) {
    const Flow flow = makeRandomCouplingFlow(getEquivariantVariants()[0], 2);
    System system;
    for (int i = 0; i < 5; i++)
        system.addParticle(1);
    std::vector<int> particles = {4, 0, 2, 1};
    const std::vector<int> added = AugmentedParticles::addTo(system, flow, particles, temperature);
    particles.insert(particles.end(), added.begin(), added.end());
    system.addForce(new BoltzmannGeneratorForce(flow, particles, temperature));
    VerletIntegrator integrator(0.001);
    Context context(system, integrator, Platform::getPlatformByName("Reference"));
    EXPECT_EQ(context.getMolecules(), (std::vector<std::vector<int>>{{0, 1, 2, 4, 5, 6, 7, 8}, {3}}));
}

TEST(AugmentedParticles, BadArgumentsAreExplained) {
    const Flow flow = makeRandomCouplingFlow(getEquivariantVariants()[0], 2);
    System system;
    for (int i = 0; i < 4; i++)
        system.addParticle(1);
    auto add = [&](const Flow& flow, const std::vector<int>& particles, double mass = 1) {
        return [&system, flow, particles, mass] {
            AugmentedParticles::addTo(system, flow, particles, temperature, mass);
        };
    };
    expectError(add(peroxide::makeFlow(), {0, 1, 2, 3}), "no augmented particles");
    expectError(add(flow, {0, 1, 2}), "is for 3 particles");
    expectError(add(flow, {0, 1, 2, 3}, 0), "mass");
    expectError([&] { AugmentedParticles::drawPositions(flow, {1, 2, 3}); }, "12 numbers, not 3");
    EXPECT_EQ(system.getNumParticles(), 4);
    auto* nonbonded = new NonbondedForce();
    for (int i = 0; i < 4; i++)
        nonbonded->addParticle(0, 1, 0);
    system.addForce(nonbonded);
    system.addForce(new CustomGBForce());
    expectError(add(flow, {0, 1, 2, 3}), "CustomGBForce");
    EXPECT_EQ(system.getNumParticles(), 4);
    EXPECT_EQ(nonbonded->getNumParticles(), 4) << "an error leaves every Force as it was";
    System bare;
    for (int i = 0; i < 4; i++)
        bare.addParticle(1);
    bare.addForce(new BoltzmannGeneratorForce(flow, {0, 1, 2, 3}, temperature));
    VerletIntegrator integrator(0.001);
    expectContextError(bare, integrator, "its flow has 4 and 4 augmented ones");
}

}  // namespace
