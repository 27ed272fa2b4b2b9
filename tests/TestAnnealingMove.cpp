// Each move of annealing leaves its density invariant, and each step in beta is as long as was asked for.

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "../openmmapi/src/AnnealingPilot.h"
#include "../openmmapi/src/AnnealingPopulation.h"
#include "../openmmapi/src/ReplicaNoise.h"
#include "SeparablePeroxide.h"
#include "openmm/CustomBondForce.h"
#include "openmmflow/WeightedEnsemble.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests::peroxide;

namespace {

class Moves : public testing::Test {
protected:
    std::unique_ptr<System> system = makeSystem();
    FlowContext flow{
        makeFlow(), Platform::getPlatformByName("CPU"), {{"Precision", "double"}, {"Threads", "1"}}};

    void SetUp() override {
        // Not finite beyond this length, where trajectories come often.
        auto* limit = new CustomBondForce("1e-9*sqrt(0.2-r)");
        limit->addBond(1, 2);
        system->addForce(limit);
        potential = std::make_unique<BatchedPotential>(
            *system, Platform::getPlatformByName("CPU"),
            std::map<std::string, std::string>{{"Precision", "double"}, {"Threads", "1"}});
    }
    std::unique_ptr<BatchedPotential> potential;
};

/** Quantities that tell whether a distribution is another one. */
std::vector<std::vector<double>> measure(const AnnealingStates& states) {
    std::vector<std::vector<double>> values(7);
    for (long long k = 0; k < states.getCount(); k++) {
        const std::vector<double>& x = states.positions;
        const Vec3 outer = atom(x, k, 1) - atom(x, k, 0), middle = atom(x, k, 2) - atom(x, k, 1);
        const double length = std::sqrt(middle.dot(middle)), phi = measureTorsion(x, k);
        const double quantities[] = {std::sqrt(outer.dot(outer)),
                                     length,
                                     length * length,
                                     std::cos(phi),
                                     std::sin(phi),
                                     states.logQ[k],
                                     states.reducedPotentials[k]};
        for (int i = 0; i < 7; i++)
            values[i].push_back(states.isAllowed(k) ? quantities[i] : 0);
    }
    return values;
}

TEST_F(Moves, LeaveTheirDensityInvariant) {
    AnnealingPath path(flow, *potential, temperature);
    const long long count = 8000;
    std::vector<uint64_t> keys;
    for (long long k = 0; k < count; k++)
        keys.push_back(makeReplicaKey(5, k));
    for (const AnnealingMove& move : {AnnealingMove{0.3, 0.004, 0.1, 1}, AnnealingMove{0.8, 0.0035, 0.3, 3},
                                      AnnealingMove{1, 0.004, 0, 5}}) {
        // Samples of the flow with these weights are samples of the density, so that the weighted average of
        // any change must be zero.
        const AnnealingStates before = path.draw(count, 3, 0);
        std::vector<double> logWeights;
        for (long long k = 0; k < count; k++)
            logWeights.push_back(before.isAllowed(k)
                                     ? move.beta * (-before.reducedPotentials[k] - before.logQ[k])
                                     : -INFINITY);
        const WeightedEnsemble ensemble =
            WeightedEnsemble::fromLogWeights(4, temperature, {}, logWeights, before.reducedPotentials);
        ASSERT_GT(ensemble.getEffectiveSampleFraction(), 0.05);
        AnnealingStates after = before;
        MoveCounts counts;
        for (uint64_t step = 0; step < 5; step++)
            counts += move.apply(path, after, keys, step);
        const double acceptance = (double)counts.accepted / counts.proposed;
        EXPECT_GT(acceptance, 0.3);
        EXPECT_LT(acceptance, 0.9);
        EXPECT_NEAR(counts.probabilities / counts.proposed, acceptance, 0.01);
        EXPECT_GT(counts.notFinite, 50);
        const std::vector<std::vector<double>> old = measure(before), moved = measure(after);
        for (size_t i = 0; i < old.size(); i++) {
            std::vector<double> changes, squares;
            for (long long k = 0; k < count; k++) {
                changes.push_back(moved[i][k] - old[i][k]);
                squares.push_back(changes[k] * changes[k]);
            }
            const WeightedEnsemble::Estimate change = ensemble.computeExpectation(changes);
            EXPECT_GT(ensemble.computeExpectation(squares).value, 0) << i;
            EXPECT_NEAR(change.value, 0, 4 * change.error) << "quantity " << i << " at beta = " << move.beta;
        }
        for (long long k = 0; k < count; k++) {
            // The centre stays where it is, and so does a sample of weight zero.
            for (int j = 0; j < 3; j++) {
                double center = 0;
                for (int i = 0; i < 4; i++)
                    center += after.positions[12 * k + 3 * i + j];
                ASSERT_NEAR(center, 0, 1e-9);
            }
            if (!before.isAllowed(k)) {
                ASSERT_EQ(after.positions[12 * k], before.positions[12 * k]);
            }
        }
    }
}

TEST_F(Moves, TheStepsOfAScheduleAreAsLongAsAskedForInAnotherRun) {
    AnnealingPath path(flow, *potential, temperature);
    AnnealingOptions options;
    options.conditionalEss = 0.95;
    options.acceptance = 0.8;
    options.leapfrogSteps = 2;
    options.pilotSize = 2000;
    const AnnealingSchedule schedule = planAnnealing(path, options, [](long long) { return true; });
    ASSERT_GT(schedule.betas.size(), 4u);
    AnnealingPopulation population(path, 17, 0, 4000, 4000);
    population.resample(1);
    for (size_t i = 1; i < schedule.betas.size(); i++) {
        EXPECT_NEAR(schedule.acceptances[i - 1], 0.8, 0.031);
        if (i + 1 < schedule.betas.size()) {
            EXPECT_NEAR(population.getConditionalEss(schedule.betas[i]), 0.95, 0.025) << i;
        } else {
            EXPECT_GT(population.getConditionalEss(1), 0.93);
        }
        population.reweight(schedule.betas[i]);
        MoveCounts counts;
        for (int j = 0; j < 3; j++)
            counts =
                population.move(schedule.stepSizes[i - 1], schedule.stepSizeJitter, schedule.leapfrogSteps);
        EXPECT_NEAR(counts.probabilities / counts.proposed, 0.8, 0.06) << i;
    }
}

}  // namespace
