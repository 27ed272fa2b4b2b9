// Runs of annealing: what they record, how they repeat, go on and stop, and what they refuse.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "AnnealingFixture.h"
#include "ExpectError.h"
#include "openmm/CustomBondForce.h"
#include "openmm/CustomExternalForce.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace OpenMMFlow::tests::peroxide;

namespace {

using AnnealingRuns = Annealing;

void expectSame(const WeightedEnsemble& a, const WeightedEnsemble& b) {
    EXPECT_EQ(a.getPositions(), b.getPositions());
    EXPECT_EQ(a.getLogWeights(), b.getLogWeights());
    EXPECT_EQ(a.getMetadata().at("annealing"), b.getMetadata().at("annealing"));
}

TEST_F(AnnealingRuns, IsTheSameInAnyBlockWithAnyThreads) {
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

TEST_F(AnnealingRuns, TheScheduleIsRecordedAndRepeatsTheRun) {
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

TEST_F(AnnealingRuns, StoppingEarlyKeepsWhatHasArrived) {
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
    // At the beginning of the third block, and in its middle.
    const long long arrived = stopAfter(2 * steps).getNumSamples();
    EXPECT_EQ(arrived, numbers.back());
    for (long long more : {0, 1}) {
        const WeightedEnsemble part = stopAfter(2 * steps + more);
        EXPECT_EQ((long long)numbers.size(), 2 * steps + more);
        EXPECT_EQ(part.getSampleRanges()[0].count, arrived);
        expectSame(part, whole.slice(0, arrived));
    }
    // Samples on their way count by the steps that they have made.
    for (size_t i = 0; i < numbers.size(); i++)
        EXPECT_EQ(numbers[i], (long long)(0.5 * arrived * (i + 1) / steps)) << i;
    EXPECT_EQ(stopAfter(1).getNumSamples(), 0);
    options.schedule.reset();
    EXPECT_EQ(stopAfter(1).getNumSamples(), 0);
    expectError([&] { sampler->planAnnealing(options, [](long long, long long) { return false; }); },
                "stopped before it reached the target");
    EXPECT_EQ(sampler->anneal(0, makeOptions()).getNumSamples(), 0);
}

TEST_F(AnnealingRuns, ItsEnsembleIsResampledSlicedAndSummarised) {
    AnnealingOptions options = makeOptions();
    options.islandSize = 25;
    const WeightedEnsemble ensemble = sampler->anneal(2500, options, 13);
    const WeightedEnsemble drawn = ensemble.resample(1000, 1);
    const WeightedEnsemble::Estimate length = ensemble.computeExpectation(measure(ensemble, measureLength));
    EXPECT_NEAR(drawn.computeExpectation(measure(drawn, measureLength)).value, length.value,
                3 * length.error);
    EXPECT_EQ(drawn.getBlockSize(), 1000);
    EXPECT_TRUE(std::isnan(ensemble.getAcceptance()));
    const std::string text = ensemble.toString();
    EXPECT_NE(text.find("islands             100 of 25 samples"), std::string::npos) << text;
    EXPECT_EQ(text.find("acceptance"), std::string::npos) << text;
    const std::string caution = "Samples of an island resemble each other";
    EXPECT_NE(text.find(caution), std::string::npos) << text;
    EXPECT_EQ(sampler->anneal(100, makeOptions(), 13).toString().find(caution), std::string::npos);
    expectError([&] { ensemble.slice(0, 30); }, "blocks of 25");
    EXPECT_EQ(ensemble.slice(25, 75).getBlockSize(), 25);
    EXPECT_TRUE(std::isnan(ensemble.slice(0, 25).getLogPartitionFunction().error));
}

TEST_F(AnnealingRuns, RefusesWhatItCannotDo) {
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
    expectError(
        [&] {
            sampler->anneal(1LL << 62, {}, 0, 0, [](long long, long long) -> bool {
                throw OpenMMException("The run has begun.");
            });
        },
        "not enough memory for the positions of 4611686018427387904 samples: use annealToFile()");
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
