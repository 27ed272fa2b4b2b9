#include "openmmflow/AnnealingSchedule.h"

#include <algorithm>
#include <cmath>

#include "StrictJson.h"
#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace std;
using nlohmann::json;

namespace OpenMMFlow {

namespace {

const string subject = "The annealing schedule";

void require(bool isTrue, const string& what) {
    if (!isTrue)
        throw OpenMMException(subject + " is not one that can be run: " + what + ".");
}

}  // namespace

void AnnealingSchedule::check() const {
    require(betas.size() >= 2 && betas.front() == 0 && betas.back() == 1, "its betas must go from 0 to 1");
    // NaN compares as unequal to everything, so that it is neither.
    require(
        adjacent_find(betas.begin(), betas.end(), [](double a, double b) { return !(a < b); }) == betas.end(),
        "its betas must ascend");
    require(stepSizes.size() + 1 == betas.size(), "it must have one step size for each beta but the first");
    require(
        all_of(stepSizes.begin(), stepSizes.end(), [](double size) { return size > 0 && isfinite(size); }),
        "its step sizes must be positive, in nm");
    require(acceptances.empty() || acceptances.size() == stepSizes.size(),
            "it must have one acceptance for each step size, or none");
    require(stepSizeJitter >= 0 && stepSizeJitter < 1,
            "its step size jitter must be at least 0 and less than 1");
    require(leapfrogSteps >= 1 && movesPerBeta >= 1, "it must have at least one leapfrog step and one move");
}

string AnnealingSchedule::toJson() const {
    return json{{"betas", betas},
                {"step_sizes", stepSizes},
                {"step_size_jitter", stepSizeJitter},
                {"leapfrog_steps", leapfrogSteps},
                {"moves_per_beta", movesPerBeta},
                {"pilot_seed", pilotSeed},
                {"pilot_size", pilotSize},
                {"conditional_ess", conditionalEss},
                {"target_acceptance", targetAcceptance},
                {"acceptances", acceptances}}
        .dump();
}

AnnealingSchedule AnnealingSchedule::fromJson(const string& text) {
    const json root = parseStrictJson(text, 2, subject);
    AnnealingSchedule schedule;
    try {
        for (const char* key : {"leapfrog_steps", "moves_per_beta", "pilot_seed", "pilot_size"})
            root.at(key).get_ref<const json::number_unsigned_t&>();
        root.at("betas").get_to(schedule.betas);
        root.at("step_sizes").get_to(schedule.stepSizes);
        root.at("step_size_jitter").get_to(schedule.stepSizeJitter);
        root.at("leapfrog_steps").get_to(schedule.leapfrogSteps);
        root.at("moves_per_beta").get_to(schedule.movesPerBeta);
        root.at("pilot_seed").get_to(schedule.pilotSeed);
        root.at("pilot_size").get_to(schedule.pilotSize);
        root.at("conditional_ess").get_to(schedule.conditionalEss);
        root.at("target_acceptance").get_to(schedule.targetAcceptance);
        root.at("acceptances").get_to(schedule.acceptances);
    } catch (const json::exception&) {
        throw OpenMMException(subject + " has an entry that is missing or of another kind: pass what toJson() or an "
                              "ensemble's metadata entry \"annealing\" holds.");
    }
    if (root.size() != 10)
        throw OpenMMException(subject
                              + " has entries that are unknown: it may be that of a newer openmm-flow.");
    schedule.check();
    return schedule;
}

}  // namespace OpenMMFlow
