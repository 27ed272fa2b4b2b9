// Annealing from a flow to the target: estimates and their errors against integrals, for independent samples
// and for islands.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "Deviations.h"
#include "ExpectError.h"
#include "RandomFlow.h"
#include "SeparablePeroxide.h"
#include "openmm/CustomBondForce.h"
#include "openmm/CustomExternalForce.h"
#include "openmmflow/FlowSampler.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests::peroxide;
using OpenMMFlow::tests::Deviations;
using OpenMMFlow::tests::expectError;

namespace {

const double BAD = 2;

std::unique_ptr<FlowSampler> makeSampler(const System& system, double scale = 1,
                                         const std::string& precision = "double",
                                         const std::string& threads = "1") {
    return std::make_unique<FlowSampler>(
        system, makeFlow(0.04, scale), temperature, Platform::getPlatformByName("CPU"),
        std::map<std::string, std::string>{{"Precision", precision}, {"Threads", threads}});
}

/** Options for a flow whose spread is doubled. */
AnnealingOptions makeOptions() {
    AnnealingOptions options;
    options.conditionalEss = 0.9;
    options.leapfrogSteps = 3;
    options.pilotSize = 500;
    return options;
}

double measureLength(const std::vector<double>& positions, long long k) {
    const Vec3 bond = atom(positions, k, 2) - atom(positions, k, 1);
    return std::sqrt(bond.dot(bond));
}

std::vector<double> measure(const WeightedEnsemble& ensemble,
                            const std::function<double(const std::vector<double>&, long long)>& quantity) {
    std::vector<double> values;
    for (long long k = 0; k < ensemble.getNumSamples(); k++)
        values.push_back(quantity(ensemble.getPositions(), k));
    return values;
}

double exactLength() {
    return integrateMiddleBond(1, 0.5) / integrateMiddleBond(0, 0.5);
}

class Annealing : public testing::Test {
protected:
    std::unique_ptr<System> system = makeSystem();
    std::unique_ptr<FlowSampler> sampler = makeSampler(*system, BAD);
};

TEST_F(Annealing, FindsAveragesAndTheTorsionFromABadFlow) {
    AnnealingOptions options = makeOptions();
    options.conditionalEss = 0.95;
    options.leapfrogSteps = 10;
    sampler = makeSampler(*system, BAD, "single");
    const WeightedEnsemble plain = sampler->sample(6000, 1), annealed = sampler->anneal(6000, options, 1);
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
        EXPECT_LT(estimate.error, 0.03) << what;
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
        EXPECT_LT(logZ.error, 0.1) << ensemble.toString();
        EXPECT_NEAR(logZ.value, exact, 4 * logZ.error);
        EXPECT_EQ(ensemble.getMetadata().at("moves").find("support 0"), std::string::npos)
            << ensemble.toString();
    }
}

void expectSame(const WeightedEnsemble& a, const WeightedEnsemble& b) {
    EXPECT_EQ(a.getPositions(), b.getPositions());
    EXPECT_EQ(a.getLogWeights(), b.getLogWeights());
    EXPECT_EQ(a.getMetadata().at("annealing"), b.getMetadata().at("annealing"));
}

TEST_F(Annealing, IsTheSameInAnyBlockWithAnyThreads) {
    for (long long islandSize : {1, 8}) {
        AnnealingOptions options = makeOptions();
        options.islandSize = islandSize;
        const WeightedEnsemble whole = sampler->anneal(2000, options, 7, 80);
        expectSame(makeSampler(*system, BAD, "double", "3")->anneal(2000, options, 7, 80), whole);
        // Across the border of a block.
        expectSame(sampler->anneal(200, options, 7, 1000), whole.slice(920, 1120));
        EXPECT_EQ(whole.getSampleRanges()[0].first, 80u);
        WeightedEnsemble merged = whole.slice(0, 800);
        merged.append(whole.slice(800, 2000));
        expectSame(merged, whole);
    }
}

TEST_F(Annealing, TheScheduleIsRecordedAndRepeatsTheRun) {
    AnnealingOptions options = makeOptions();
    const WeightedEnsemble first = sampler->anneal(500, options, 8);
    EXPECT_EQ(sampler->planAnnealing(options).toJson(), first.getMetadata().at("annealing"));
    AnnealingOptions again;
    again.schedule = AnnealingSchedule::fromJson(first.getMetadata().at("annealing"));
    expectSame(sampler->anneal(500, again, 8), first);
    EXPECT_EQ(first.getMetadata().at("flow"), sampler->getFlow().getHash());
    WeightedEnsemble merged = first;
    merged.append(sampler->anneal(500, again, 9));
    EXPECT_EQ(merged.getMetadata().at("annealing"), first.getMetadata().at("annealing"));
    // What other random numbers found is another schedule.
    options.pilotSeed = 1;
    expectError([&] { merged.append(sampler->anneal(500, options, 10)); }, "different schedules");
    expectError([&] { merged.append(sampler->sample(500, 11)); }, "Only one of the ensembles is annealed");
    again.islandSize = 10;
    expectError([&] { merged.append(sampler->anneal(500, again, 12)); }, "blocks of 1 and 10");
}

TEST_F(Annealing, StoppingEarlyKeepsWhatHasArrived) {
    AnnealingOptions options = makeOptions();
    options.schedule = sampler->planAnnealing(options);
    const WeightedEnsemble whole = sampler->anneal(3000, options, 3, 5);
    const long long steps = options.schedule->stepSizes.size();
    std::vector<long long> numbers;
    auto stopAfter = [&](long long calls) {
        numbers.clear();
        return sampler->anneal(100000, options, 3, 5, [&](long long done, long long total) {
            numbers.push_back(done);
            EXPECT_EQ(total, 100000);
            return (long long)numbers.size() < calls;
        });
    };
    // In the middle of the third block, and at its beginning.
    for (long long calls : {2 * steps + 1, 2 * steps}) {
        const WeightedEnsemble part = stopAfter(calls);
        EXPECT_EQ((long long)numbers.size(), calls);
        ASSERT_GT(part.getNumSamples(), 0);
        EXPECT_EQ(part.getNumSamples(), numbers.back());
        EXPECT_EQ(part.getSampleRanges()[0].count, numbers.back());
        expectSame(part, whole.slice(0, part.getNumSamples()));
    }
    EXPECT_EQ(stopAfter(1).getNumSamples(), 0);
    options.schedule.reset();
    EXPECT_EQ(stopAfter(1).getNumSamples(), 0);
    expectError([&] { sampler->planAnnealing(options, [](long long, long long) { return false; }); },
                "stopped before it reached the target");
    EXPECT_EQ(sampler->anneal(0, makeOptions()).getNumSamples(), 0);
}

TEST_F(Annealing, ItsEnsembleIsResampledSlicedAndSummarised) {
    AnnealingOptions options = makeOptions();
    options.islandSize = 25;
    const WeightedEnsemble ensemble = sampler->anneal(2500, options, 13);
    const WeightedEnsemble drawn = ensemble.resample(1000, 1);
    const WeightedEnsemble::Estimate length = ensemble.computeExpectation(measure(ensemble, measureLength));
    EXPECT_NEAR(drawn.computeExpectation(measure(drawn, measureLength)).value, length.value,
                3 * length.error);
    EXPECT_EQ(drawn.getBlockSize(), 1);
    EXPECT_TRUE(std::isnan(ensemble.getAcceptance()));
    const std::string text = ensemble.toString();
    EXPECT_NE(text.find("islands             100 of 25 samples"), std::string::npos) << text;
    EXPECT_EQ(text.find("acceptance"), std::string::npos) << text;
    expectError([&] { ensemble.slice(0, 30); }, "blocks of 25");
    EXPECT_EQ(ensemble.slice(25, 75).getBlockSize(), 25);
    EXPECT_TRUE(std::isnan(ensemble.slice(0, 25).getLogPartitionFunction().error));
}

TEST_F(Annealing, RefusesWhatItCannotDo) {
    auto expectRefusal = [&](const std::function<void(AnnealingOptions&)>& change,
                             const std::string& fragment) {
        AnnealingOptions options = makeOptions();
        change(options);
        expectError([&] { sampler->anneal(10, options); }, fragment);
    };
    expectRefusal([](AnnealingOptions& o) { o.islandSize = 0; }, "at least 1 sample in an island, not 0");
    expectRefusal([](AnnealingOptions& o) { o.islandSize = 4; }, "islands of 4");
    expectRefusal([](AnnealingOptions& o) { o.resamplingThreshold = 1.5; }, "resampling threshold");
    expectRefusal([](AnnealingOptions& o) { o.conditionalEss = 1; }, "conditional effective sample fraction");
    expectRefusal([](AnnealingOptions& o) { o.acceptance = std::nan(""); }, "acceptance");
    expectRefusal([](AnnealingOptions& o) { o.leapfrogSteps = 0; }, "leapfrog step");
    expectRefusal([](AnnealingOptions& o) { o.movesPerBeta = 0; }, "move at each beta");
    expectRefusal([](AnnealingOptions& o) { o.pilotSize = 5; },
                  "at least 50 samples in its pilot run, not 5");
    expectRefusal(
        [](AnnealingOptions& o) {
            o.conditionalEss = 0.9999999;
            o.leapfrogSteps = 1;
            o.pilotSize = 50;
        },
        "too far from the target");
    expectRefusal([](AnnealingOptions& o) { o.schedule = AnnealingSchedule(); },
                  "its betas must go from 0 to 1");
    expectError([&] { sampler->anneal(-1); }, "must not be negative");
    auto* limit = new CustomBondForce("sqrt(-1-r)");
    limit->addBond(1, 2);
    system->addForce(limit);
    expectError([&] { makeSampler(*system)->planAnnealing(); },
                "does not propose anything that the System allows");
    system = makeSystem();
    auto* field = new CustomExternalForce("30*x");
    field->addParticle(0);
    system->addForce(field);
    expectError([&] { makeSampler(*system)->anneal(10); }, "CustomExternalForce");
}

}  // namespace
