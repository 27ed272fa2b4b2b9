// Annealing schedules as text.

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "ExpectError.h"
#include "openmmflow/AnnealingSchedule.h"

using OpenMMFlow::AnnealingSchedule;
using OpenMMFlow::tests::expectError;

namespace {

AnnealingSchedule makeSchedule() {
    AnnealingSchedule schedule;
    schedule.betas = {0, 1e-17, 0.1 + 0.2, 1};
    schedule.stepSizes = {1.0 / 3, 2e-3, 1e-300};
    schedule.leapfrogSteps = 7;
    schedule.movesPerBeta = 2;
    schedule.pilotSeed = UINT64_MAX;
    schedule.pilotSize = 1234;
    schedule.conditionalEss = 0.97;
    schedule.targetAcceptance = 0.6;
    schedule.acceptances = {0.61, 0.59, 2.0 / 3};
    return schedule;
}

TEST(AnnealingSchedule, ComesBackBitForBit) {
    const AnnealingSchedule schedule = makeSchedule(), again = AnnealingSchedule::fromJson(schedule.toJson());
    EXPECT_EQ(again.betas, schedule.betas);
    EXPECT_EQ(again.stepSizes, schedule.stepSizes);
    EXPECT_EQ(again.stepSizeJitter, schedule.stepSizeJitter);
    EXPECT_EQ(again.leapfrogSteps, 7);
    EXPECT_EQ(again.movesPerBeta, 2);
    EXPECT_EQ(again.pilotSeed, UINT64_MAX);
    EXPECT_EQ(again.pilotSize, 1234);
    EXPECT_EQ(again.conditionalEss, 0.97);
    EXPECT_EQ(again.targetAcceptance, 0.6);
    EXPECT_EQ(again.acceptances, schedule.acceptances);
    EXPECT_EQ(again.toJson(), schedule.toJson());
}

TEST(AnnealingSchedule, RefusesWhatCannotBeRun) {
    auto expectRefusal = [](auto change, const std::string& fragment) {
        AnnealingSchedule schedule = makeSchedule();
        change(schedule);
        expectError([&] { schedule.check(); }, fragment);
    };
    expectRefusal([](AnnealingSchedule& s) { s.betas.back() = 0.9; }, "from 0 to 1");
    expectRefusal([](AnnealingSchedule& s) { s.betas[1] = 0.5; }, "must ascend");
    expectRefusal([](AnnealingSchedule& s) { s.betas[1] = std::nan(""); }, "must ascend");
    expectRefusal([](AnnealingSchedule& s) { s.stepSizes.pop_back(); }, "one step size for each");
    expectRefusal([](AnnealingSchedule& s) { s.stepSizes[1] = 0; }, "must be positive");
    expectRefusal([](AnnealingSchedule& s) { s.acceptances.pop_back(); }, "one acceptance for each");
    expectRefusal([](AnnealingSchedule& s) { s.stepSizeJitter = 1; }, "jitter");
    expectRefusal([](AnnealingSchedule& s) { s.leapfrogSteps = 0; }, "at least one leapfrog step");
}

TEST(AnnealingSchedule, RefusesOtherText) {
    const nlohmann::json good = nlohmann::json::parse(makeSchedule().toJson());
    auto expectRefusal = [](const nlohmann::json& text, const std::string& fragment) {
        expectError([&] { AnnealingSchedule::fromJson(text.dump()); }, fragment);
    };
    for (const auto& [key, value] : good.items()) {
        nlohmann::json other = good;
        other.erase(key);
        expectRefusal(other, "missing or of another kind");
        other[key] = "text";
        expectRefusal(other, "missing or of another kind");
    }
    nlohmann::json other = good;
    other["colour"] = 1;
    expectRefusal(other, "unknown");
    other = good;
    other["betas"] = {0, 1};
    expectRefusal(other, "one step size for each");
    expectError([] { AnnealingSchedule::fromJson("no JSON"); }, "not valid JSON");
}

}  // namespace
