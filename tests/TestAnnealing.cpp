// Annealing from a flow to the target: estimates and their errors against integrals, for independent samples
// and for islands.

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "AnnealingFixture.h"
#include "Deviations.h"
#include "RandomFlow.h"
#include "openmm/CustomBondForce.h"
#include "openmm/HarmonicAngleForce.h"
#include "openmm/HarmonicBondForce.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace OpenMMFlow::tests::peroxide;

namespace {

double exactLength() {
    return integrateMiddleBond(1, 0.5) / integrateMiddleBond(0, 0.5);
}

TEST_F(Annealing, FindsAveragesAndTheTorsionFromABadFlow) {
    AnnealingOptions options = makeOptions();
    options.conditionalEss = 0.95;
    options.leapfrogSteps = 10;
    sampler = makeSampler(*system, BAD, "single");
    const WeightedEnsemble plain = sampler->sample(4000, 1), annealed = sampler->anneal(4000, options, 1);
    EXPECT_LT(plain.getEffectiveSampleFraction(), 0.1);
    EXPECT_GT(annealed.getEffectiveSampleFraction(), 4 * plain.getEffectiveSampleFraction())
        << annealed.toString();
    EXPECT_LT(annealed.getParetoK(), 0.5);
    EXPECT_FALSE(annealed.hasLogQ());
    EXPECT_TRUE(annealed.getLogQ().empty());
    // The flow proposes bonds of negative length, here much more than those that are not evaluated.
    EXPECT_EQ(annealed.getNumOffSupport(), plain.getNumOffSupport());
    EXPECT_EQ(annealed.getNumNonFinite(), 0);
    auto expectNear = [](const WeightedEnsemble::Estimate& estimate, double exact, const std::string& what) {
        EXPECT_LT(estimate.error, 0.05) << what;
        EXPECT_NEAR(estimate.value, exact, 4 * estimate.error) << what;
    };
    expectNear(annealed.getLogPartitionFunction(), exactLogZ(0.5), "log Z");
    expectNear(annealed.computeExpectation(measure(annealed, measureLength)), exactLength(), "length");
    const std::vector<double> torsions = measure(annealed, measureTorsion);
    const int bins = 12;
    const double total = integrate(-M_PI, M_PI, torsionWeight);
    for (int bin = 0; bin < bins; bin++) {
        const double low = -M_PI + 2 * M_PI * bin / bins, high = low + 2 * M_PI / bins;
        std::vector<double> isInside;
        for (double phi : torsions)
            isInside.push_back(phi >= low && phi < high);
        expectNear(annealed.computeExpectation(isInside), integrate(low, high, torsionWeight) / total,
                   "bin " + std::to_string(bin));
    }
    // The configurations themselves are those of the target, nearly, whose potential energies are these.
    const std::vector<double>& u = annealed.getReducedPotentials();
    const double again =
        sampler->reweight({annealed.getPositions().begin(), annealed.getPositions().begin() + 12})
            .getReducedPotentials()[0];
    EXPECT_NEAR(u[0], again, 1e-3);
}

/** Estimates of groups of samples that are independent of each other, as if from as many seeds. */
void checkDeviations(const WeightedEnsemble& ensemble, long long groupSize) {
    Deviations logZ, length, side;
    for (long long start = 0; start < ensemble.getNumSamples(); start += groupSize) {
        const WeightedEnsemble group = ensemble.slice(start, start + groupSize);
        logZ.add(group.getLogPartitionFunction(), exactLogZ(0.5));
        length.add(group.computeExpectation(measure(group, measureLength)), exactLength());
        std::vector<bool> left, right;
        for (double phi : measure(group, measureTorsion)) {
            left.push_back(phi < 0);
            right.push_back(phi > 0);
        }
        side.add(group.computeFreeEnergyDifference(left, right),
                 std::log(integrate(-M_PI, 0, torsionWeight) / integrate(0, M_PI, torsionWeight)));
    }
    logZ.check();
    length.check();
    side.check();
}

TEST_F(Annealing, ErrorsOfIndependentSamplesAreRight) {
    checkDeviations(makeSampler(*system, 1, "single")->anneal(30000, makeOptions(), 2), 200);
}

TEST_F(Annealing, ErrorsOfIslandsAreRight) {
    AnnealingOptions options = makeOptions();
    options.islandSize = 16;
    // As much correlation within islands as there can be.
    options.resamplingThreshold = 1;
    const long long numGroups = 120, groupSize = 16 * 25;
    const WeightedEnsemble ensemble =
        makeSampler(*system, 1, "single")->anneal(numGroups * groupSize, options, 3);
    EXPECT_EQ(ensemble.getBlockSize(), 16);
    checkDeviations(ensemble, groupSize);
    // Were the samples taken as independent, the errors would be too small by far.
    const WeightedEnsemble naive = WeightedEnsemble::fromLogWeights(
        4, temperature, {}, ensemble.getLogWeights(), ensemble.getReducedPotentials());
    EXPECT_GT(ensemble.getLogPartitionFunction().error, 1.5 * naive.getLogPartitionFunction().error);
    EXPECT_NEAR(ensemble.getLogPartitionFunction().value, exactLogZ(0.5),
                4 * ensemble.getLogPartitionFunction().error);
    EXPECT_LT(ensemble.getNumEffectiveBlocks(), numGroups * groupSize / 16);
}

TEST_F(Annealing, TheAverageWeightIsExactHoweverShortTheWay) {
    // One step of badly tuned moves is plain reweighting, with moves after it.
    AnnealingOptions options;
    options.schedule = AnnealingSchedule();
    options.schedule->betas = {0, 1};
    options.schedule->stepSizes = {0.002};
    const WeightedEnsemble one = sampler->anneal(5000, options, 4), plain = sampler->sample(5000, 4);
    for (long long k = 0; k < 5000; k++)
        if (std::isfinite(plain.getLogWeights()[k])) {
            ASSERT_NEAR(one.getLogWeights()[k], plain.getLogWeights()[k],
                        1e-5 * std::abs(plain.getLogWeights()[k]));
        }
    options.schedule->betas = {0, 0.1, 1};
    options.schedule->stepSizes = {0.004, 0.004};
    for (long long islandSize : {1, 50}) {
        options.islandSize = islandSize;
        const WeightedEnsemble two = sampler->anneal(10000, options, 5);
        const WeightedEnsemble::Estimate logZ = two.getLogPartitionFunction();
        EXPECT_LT(logZ.error, 0.1);
        EXPECT_NEAR(logZ.value, exactLogZ(0.5), 3.5 * logZ.error);
    }
}

TEST_F(Annealing, RejectsMovesWithoutAFiniteEnergyAndCountsThem) {
    // The root is NaN beyond this length, and small elsewhere.
    auto* limit = new CustomBondForce("1e-9*sqrt(0.18-r)");
    limit->addBond(1, 2);
    system->addForce(limit);
    AnnealingOptions options = makeOptions();
    options.pilotSize = 1000;
    for (long long islandSize : {1, 20}) {
        options.islandSize = islandSize;
        const WeightedEnsemble ensemble = makeSampler(*system, BAD)->anneal(5000, options, 6);
        const WeightedEnsemble::Estimate logZ = ensemble.getLogPartitionFunction();
        EXPECT_LT(logZ.error, 0.08);
        EXPECT_NEAR(logZ.value, exactLogZ(0.18), 4 * logZ.error);
        if (islandSize == 1) {
            EXPECT_GT(ensemble.getNumNonFinite(), 500);
        }
        for (long long k = 0; k < ensemble.getNumSamples(); k++)
            if (std::isfinite(ensemble.getLogWeights()[k])) {
                ASSERT_LT(measureLength(ensemble.getPositions(), k), 0.18);
            }
        const std::string moves = ensemble.getMetadata().at("moves");
        EXPECT_NE(moves.find(" % of "), std::string::npos) << moves;
        EXPECT_EQ(moves.find("finite energy 0"), std::string::npos) << moves;
        EXPECT_NE(ensemble.toString().find(moves), std::string::npos);
    }
}

TEST(AnnealingOfAHand, RejectsMovesOffTheSupportAndCountsThem) {
    // The energy does not know the hand of particle 4, to which the flow restricts the target.
    const int numParticles = 5;
    InternalCoordinates coordinates = makeCoordinates(numParticles, 0.15, 0.02, 0.2);
    // Its torsion is the last coordinate. The target fills all of the range from 0 to pi.
    coordinates.scale.back() = 0.9;
    InternalFlowModel::Configuration configuration;
    configuration.couplings = 2;
    configuration.hidden = 8;
    configuration.blocks = 1;
    configuration.bins = 6;
    const Flow flow = makeRandomFlow(coordinates, configuration, 3);
    const double bond = 0.15, bondWidth = 0.014, bend = 1.7, bendWidth = 0.14;
    System system;
    auto* bonds = new HarmonicBondForce();
    auto* angles = new HarmonicAngleForce();
    for (int i = 0; i < numParticles; i++) {
        const InternalCoordinates::Placement& place = coordinates.placements[i];
        system.addParticle(1);
        if (i > 0)
            bonds->addBond(place.atom, place.bond, bond, kT / (bondWidth * bondWidth));
        if (i > 1)
            angles->addAngle(place.atom, place.bond, place.angle, bend, kT / (bendWidth * bendWidth));
    }
    system.addForce(bonds);
    system.addForce(angles);
    const double radial = integrate(0, 0.3, [=](double b) { return b * b * gaussian(b, bond, bondWidth); });
    const double angular =
        integrate(0, M_PI, [=](double t) { return std::sin(t) * gaussian(t, bend, bendWidth); });
    const double exact = std::log(8 * M_PI * M_PI * std::pow(numParticles, -1.5) * std::pow(radial, 4)
                                  * std::pow(angular, 3) * 2 * M_PI * M_PI);
    FlowSampler sampler(system, flow, temperature, Platform::getPlatformByName("CPU"));
    for (long long islandSize : {1, 20}) {
        AnnealingOptions options = makeOptions();
        options.conditionalEss = 0.95;
        options.leapfrogSteps = 10;
        options.islandSize = islandSize;
        const WeightedEnsemble ensemble = sampler.anneal(6000, options, 1);
        const WeightedEnsemble::Estimate logZ = ensemble.getLogPartitionFunction();
        EXPECT_LT(logZ.error, 0.15) << ensemble.toString();
        EXPECT_NEAR(logZ.value, exact, 4 * logZ.error);
        EXPECT_EQ(ensemble.getMetadata().at("moves").find("support 0"), std::string::npos)
            << ensemble.toString();
    }
}

}  // namespace
