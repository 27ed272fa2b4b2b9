// From a System and a flow to a weighted ensemble, for a molecule whose partition function is a product of
// integrals over single coordinates: H-O-O-H with harmonic bonds and angles and a torsion.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "SeparablePeroxide.h"
#include "openmm/CustomBondForce.h"
#include "openmm/CustomExternalForce.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/FlowBuilder.h"
#include "openmmflow/FlowSampler.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests::peroxide;

namespace {

const double notANumber = std::numeric_limits<double>::quiet_NaN();

std::string messageOf(const std::function<void()>& action) {
    try {
        action();
    } catch (const OpenMMException& e) {
        return e.what();
    }
    return "no exception";
}

void expectNear(const WeightedEnsemble& a, const WeightedEnsemble& b, double tolerance) {
    ASSERT_EQ(a.getNumSamples(), b.getNumSamples());
    ASSERT_EQ(a.getPositions().size(), b.getPositions().size());
    for (size_t i = 0; i < a.getPositions().size(); i++)
        ASSERT_NEAR(a.getPositions()[i], b.getPositions()[i], tolerance);
}

class Sampler : public testing::TestWithParam<const char*> {
protected:
    Platform& platform = Platform::getPlatformByName(GetParam());
    double tolerance = std::string(GetParam()) == "Reference" ? 1e-9 : 1e-4;
    std::unique_ptr<System> system = makeSystem();
    Flow flow = makeFlow();
    FlowSampler sampler{*system, flow, temperature, platform};
    std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("openmmflow-sampler-" + std::to_string(getpid()));
    std::string path = (folder / "ensemble.safetensors").string();

    void SetUp() override { std::filesystem::create_directory(folder); }
    void TearDown() override { std::filesystem::remove_all(folder); }
};

void expectWithinErrors(const WeightedEnsemble::Estimate& estimate, double exact, const std::string& what) {
    EXPECT_LT(estimate.error, 0.03) << what;
    EXPECT_NEAR(estimate.value, exact, 4 * estimate.error) << what;
}

TEST_P(Sampler, FindsThePartitionFunctionAndAverages) {
    const WeightedEnsemble ensemble = sampler.sample(20000, 1);
    EXPECT_GT(ensemble.getEffectiveSampleFraction(), 0.1) << ensemble.toString();
    EXPECT_LT(ensemble.getParetoK(), 0.7);
    EXPECT_GT(ensemble.getNumOffSupport(), 5);
    EXPECT_EQ(ensemble.getNumNonFinite(), 0);
    std::vector<double> lengths, cosines;
    std::vector<bool> left, right;
    for (long long k = 0; k < ensemble.getNumSamples(); k++) {
        const Vec3 bond = atom(ensemble.getPositions(), k, 2) - atom(ensemble.getPositions(), k, 1);
        const double phi = measureTorsion(ensemble.getPositions(), k);
        lengths.push_back(std::sqrt(bond.dot(bond)));
        cosines.push_back(std::cos(phi));
        left.push_back(phi < 0);
        right.push_back(phi > 0);
    }
    expectWithinErrors(ensemble.getLogPartitionFunction(), exactLogZ(0.5), "log Z");
    expectWithinErrors(ensemble.computeExpectation(lengths),
                       integrateMiddleBond(1, 0.5) / integrateMiddleBond(0, 0.5), "length");
    expectWithinErrors(ensemble.computeExpectation(cosines),
                       integrate(-M_PI, M_PI, [](double phi) { return std::cos(phi) * torsionWeight(phi); })
                           / integrate(-M_PI, M_PI, torsionWeight),
                       "cosine");
    expectWithinErrors(ensemble.computeFreeEnergyDifference(left, right),
                       std::log(integrate(-M_PI, 0, torsionWeight) / integrate(0, M_PI, torsionWeight)),
                       "free energy");
}

TEST_P(Sampler, EnergiesThatAreNotFiniteHaveWeightZero) {
    // The root is NaN beyond this length, and small elsewhere.
    auto* limit = new CustomBondForce("1e-9*sqrt(0.18-r)");
    limit->addBond(1, 2);
    system->addForce(limit);
    const WeightedEnsemble ensemble = FlowSampler(*system, flow, temperature, platform).sample(20000, 1);
    EXPECT_GT(ensemble.getNumNonFinite(), 1000);
    EXPECT_GT(ensemble.getNumOffSupport(), 5);
    expectWithinErrors(ensemble.getLogPartitionFunction(), exactLogZ(0.18), "log Z");
    EXPECT_NE(ensemble.toString().find("not finite"), std::string::npos);
}

TEST_P(Sampler, SamplesAreTheSameInAnyBlockAndNoted) {
    const WeightedEnsemble whole = sampler.sample(5000, 7, 100), part = sampler.sample(30, 7, 4190);
    expectNear(whole.slice(4090, 4120), part, tolerance);
    for (int k = 0; k < 30; k++)
        EXPECT_NEAR(whole.getLogWeights()[4090 + k], part.getLogWeights()[k], 100 * tolerance);
    ASSERT_EQ(whole.getSampleRanges().size(), 1u);
    EXPECT_EQ(whole.getSampleRanges()[0].seed, 7u);
    EXPECT_EQ(whole.getSampleRanges()[0].first, 100u);
    EXPECT_EQ(whole.getSampleRanges()[0].count, 5000);
    EXPECT_EQ(whole.getMetadata().at("flow"), flow.getHash());
    EXPECT_EQ(whole.getMetadata().at("system"), FlowBuilder::hashSystem(*system));
    EXPECT_EQ(whole.getMetadata().at("energies").find("batched: " + platform.getName()), 0u);
    EXPECT_EQ(whole.getMetadata().at("proposals").find(platform.getName()), 0u);
    EXPECT_EQ(whole.getMetadata().count("flow_temperature"), 0u);
    WeightedEnsemble merged = sampler.sample(10, 7, 0);
    merged.append(sampler.sample(10, 7, 10));
    expectNear(merged, sampler.sample(20, 7, 0), tolerance);
    EXPECT_NE(messageOf([&] { merged.append(sampler.sample(1, 7, 19)); }), "no exception");
}

TEST_P(Sampler, TheFileHoldsWhatMemoryWould) {
    const WeightedEnsemble expected = sampler.sample(5000, 3), returned = sampler.sampleToFile(path, 5000, 3);
    const WeightedEnsemble loaded = WeightedEnsemble::load(path);
    EXPECT_EQ(loaded.getPositions(), expected.getPositions());
    EXPECT_EQ(loaded.getLogQ(), expected.getLogQ());
    EXPECT_EQ(loaded.getLogWeights(), expected.getLogWeights());
    EXPECT_EQ(loaded.getMetadata(), expected.getMetadata());
    EXPECT_FALSE(returned.hasPositions());
    EXPECT_EQ(returned.getLogWeights(), expected.getLogWeights());
    EXPECT_EQ(returned.getLogPartitionFunction().value, loaded.getLogPartitionFunction().value);
}

TEST_P(Sampler, StoppingEarlyKeepsWhatWasDone) {
    std::vector<long long> steps;
    auto stop = [&](long long done, long long total) {
        steps.push_back(done);
        EXPECT_EQ(total, 100000);
        return steps.size() % 2 == 1;
    };
    const WeightedEnsemble inMemory = sampler.sample(100000, 3, 5, stop);
    sampler.sampleToFile(path, 100000, 3, 5, stop);
    ASSERT_EQ(steps.size(), 4u);
    EXPECT_EQ(steps[1], 2 * steps[0]);
    const WeightedEnsemble loaded = WeightedEnsemble::load(path);
    for (const WeightedEnsemble* ensemble : {&inMemory, &loaded}) {
        EXPECT_EQ(ensemble->getNumSamples(), steps[1]);
        EXPECT_EQ(ensemble->getSampleRanges()[0].count, steps[1]);
        EXPECT_TRUE(ensemble->hasPositions());
    }
    EXPECT_EQ(loaded.getPositions(), inMemory.getPositions());
}

TEST_P(Sampler, AnExceptionLeavesNoFile) {
    auto fail = [](long long, long long) -> bool { throw OpenMMException("enough"); };
    EXPECT_EQ(messageOf([&] { sampler.sampleToFile(path, 100, 0, 0, fail); }), "enough");
    EXPECT_TRUE(std::filesystem::is_empty(folder));
    EXPECT_NE(messageOf([&] { sampler.sampleToFile(folder.string(), 100); }), "no exception");
}

TEST_P(Sampler, ReweightingFindsTheSameWeights) {
    const WeightedEnsemble drawn = sampler.sample(500, 9);
    std::vector<double> positions, expected;
    for (int k = 0; k < 500; k++)
        if (std::isfinite(drawn.getLogQ()[k])) {
            positions.insert(positions.end(), &drawn.getPositions()[12 * k],
                             &drawn.getPositions()[12 * k] + 12);
            expected.push_back(drawn.getLogWeights()[k]);
        }
    const WeightedEnsemble again = sampler.reweight(positions);
    for (size_t i = 0; i < positions.size(); i++)
        ASSERT_NEAR(again.getPositions()[i], positions[i], 1e-7);
    EXPECT_TRUE(again.getSampleRanges().empty());
    EXPECT_EQ(again.getMetadata(), drawn.getMetadata());
    for (size_t k = 0; k < expected.size(); k++)
        EXPECT_NEAR(again.getLogWeights()[k], expected[k], 50 * tolerance) << k;
    // All in one place: no angle is inside the support.
    std::fill_n(&positions[12 * 3], 12, 0.0);
    EXPECT_NE(messageOf([&] { sampler.reweight(positions); }).find("Frame 3 "), std::string::npos);
    EXPECT_NE(messageOf([&] { sampler.reweight(positions, 8192); }).find("Frame 8195 "), std::string::npos);
    positions[12 * 2] = notANumber;
    EXPECT_EQ(messageOf([&] { sampler.reweight(positions); }),
              "Frame 2 has a position that is not a finite number.");
    EXPECT_EQ(sampler.reweight({}).getNumSamples(), 0);
}

TEST_P(Sampler, ProposalsAreThoseOfTheEnsemble) {
    std::vector<double> positions, logQ;
    sampler.propose(50, positions, logQ, 4, 1000);
    const WeightedEnsemble ensemble = sampler.sample(50, 4, 1000);
    EXPECT_EQ(positions, ensemble.getPositions());
    EXPECT_EQ(logQ, ensemble.getLogQ());
}

TEST_P(Sampler, AnotherTemperatureIsNoted) {
    const WeightedEnsemble ensemble = FlowSampler(*system, flow, 400, platform).sample(10);
    EXPECT_EQ(ensemble.getTemperature(), 400);
    EXPECT_EQ(ensemble.getMetadata().at("flow_temperature"), "310");
    EXPECT_NE(ensemble.toString().find("made for 310 K"), std::string::npos);
    const double ratio = sampler.sample(10).getReducedPotentials()[0] / ensemble.getReducedPotentials()[0];
    EXPECT_NEAR(ratio, 400 / temperature, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(FlowSampler, Sampler, testing::Values("Reference", "CPU"));

TEST(FlowSampler, ChoosesPlatformsAndThreads) {
    auto system = makeSystem();
    const Flow flow = makeFlow();
    FlowSampler fastest(*system, flow, temperature, {{"Threads", "2"}, {"Precision", "double"}});
    EXPECT_EQ(fastest.getDescription(), "flow: CPU, double; energies: batched: CPU, double, 2");
    EXPECT_EQ(fastest.getTemperature(), temperature);
    EXPECT_EQ(fastest.getFlow().getHash(), flow.getHash());
    Platform& reference = Platform::getPlatformByName("Reference");
    EXPECT_EQ(FlowSampler(*system, flow, temperature, reference, {{"Threads", "1"}}).getDescription(),
              "flow: Reference, double; energies: batched: Reference, double");
    EXPECT_NE(messageOf([&] {
                  FlowSampler(*system, flow, temperature, {{"Colour", "red"}});
              }).find("Colour"),
              std::string::npos);
}

TEST(FlowSampler, RefusesWhatItCannotSample) {
    const Flow flow = makeFlow();
    auto system = makeSystem();
    for (double bad : {0.0, -300.0, notANumber})
        EXPECT_NE(messageOf([&] { FlowSampler(*system, flow, bad); }).find("temperature must be positive"),
                  std::string::npos);
    FlowSampler sampler(*system, flow, temperature, Platform::getPlatformByName("Reference"));
    EXPECT_EQ(messageOf([&] { sampler.sample(-1); }), "The number of samples must not be negative.");
    EXPECT_NE(messageOf([&] { sampler.sample(2, 0, UINT64_MAX); }), "no exception");
    EXPECT_EQ(
        messageOf([&] { sampler.sample(1LL << 62); }),
        "There is not enough memory for the positions of 4611686018427387904 samples: use sampleToFile().");
    EXPECT_NE(messageOf([&] { sampler.reweight(std::vector<double>(13)); }), "no exception");
    EXPECT_EQ(sampler.sample(0).getNumSamples(), 0);
    auto* field = new CustomExternalForce("3*x");
    for (int i = 0; i < 4; i++)
        field->addParticle(i);
    system->addForce(field);
    EXPECT_NE(
        messageOf([&] { FlowSampler(*system, flow, temperature).sample(10); }).find("CustomExternalForce"),
        std::string::npos);
    system = makeSystem();
    system->addConstraint(0, 1, 0.1);
    EXPECT_NE(messageOf([&] { FlowSampler(*system, flow, temperature); }).find("constraint"),
              std::string::npos);
    system = makeSystem();
    system->addParticle(1.0);
    EXPECT_EQ(messageOf([&] { FlowSampler(*system, flow, temperature); }),
              "The System has 5 particles and the flow has 4: they must describe the same molecule.");
}

}  // namespace
