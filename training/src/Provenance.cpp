#include "Provenance.h"

#include <chrono>
#include <ctime>
#include <fstream>
#include <iterator>
#include <thread>

#include <torch/headeronly/version.h>
#include <nlohmann/json.hpp>

#include "openmmflow/FlowBuilder.h"
#include "openmmflow/Version.h"

using namespace OpenMMFlow;
using Json = nlohmann::ordered_json;

static Json scheduleToJson(const FlowTrainerOptions& options) {
    return {{"optimizer", options.optimizer},
            {"batch_size", options.batchSize},
            {"learning_rate", options.learningRate},
            {"warmup_steps", options.warmupSteps},
            {"initial_learning_rate", options.initialLearningRate},
            {"final_learning_rate", options.finalLearningRate},
            {"max_samples", options.maxSamples},
            {"max_epochs", options.maxEpochs},
            {"max_gradient_norm", options.maxGradientNorm},
            {"gradient_clip_factor", options.gradientClipFactor},
            {"gradient_skip_factor", options.gradientSkipFactor},
            {"frame_loss_weight", options.frameLossWeight},
            {"averaging_decay", options.averagingDecay},
            {"validation_fraction", options.validationFraction},
            {"max_validation_frames", options.maxValidationFrames},
            {"validation_interval", options.validationInterval},
            {"patience", options.patience},
            {"precision", options.precision},
            {"seed", options.seed}};
}

/** What validations found, no more than a picture can show. */
static Json historyToJson(const TrainingState& state) {
    const size_t columns = std::size(TrainingState::historyColumns), rows = state.history.size() / columns;
    const size_t stride = rows / 200 + 1;
    Json json;
    for (size_t column = 0; column < columns; column++) {
        Json& values = json[TrainingState::historyColumns[column]] = Json::array();
        // The last row is always among them.
        for (size_t row = (rows - 1) % stride; row < rows; row += stride)
            values.push_back(state.history[row * columns + column]);
    }
    return json;
}

static std::string describeMachine() {
    std::ifstream file("/proc/cpuinfo");
    std::string line, processor = "unknown processor";
    while (std::getline(file, line))
        if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos) {
            processor = line.substr(line.find(": ") + 2);
            break;
        }
    return processor + ", " + std::to_string(std::thread::hardware_concurrency()) + " cores";
}

std::map<std::string, std::string> OpenMMFlow::describeSchedule(const FlowTrainerOptions& options) {
    std::map<std::string, std::string> schedule;
    const Json json = scheduleToJson(options);
    for (const auto& [name, value] : json.items())
        schedule[name] = value.dump();
    return schedule;
}

std::string OpenMMFlow::describeHeldOutBlocks(const TrainingData& data) {
    return Json(data.heldOutBlocks).dump();
}

static Objective::Facts toFacts(const Json& json) {
    Objective::Facts facts;
    for (const auto& [name, value] : json.items())
        facts.emplace_back(name, value.dump());
    return facts;
}

Objective::Facts OpenMMFlow::describeData(const TrainingData& data) {
    return toFacts({{"objective", "maximum likelihood"},
                    {"training_frames", data.training.numFrames},
                    {"validation_frames", data.validation.numFrames},
                    {"blocks", data.numBlocks},
                    {"held_out_blocks", data.heldOutBlocks},
                    {"data_hash", data.hash}});
}

Objective::Facts OpenMMFlow::describePathGradients(const FlowTrainerOptions& options, const Target& target) {
    return toFacts({{"path_gradients", true},
                    {"system", FlowBuilder::hashSystem(target.getSystem())},
                    {"temperature", target.getTemperature()},
                    {"mass_balancing", options.massBalancing},
                    {"force_clip_factor", options.forceClipFactor}});
}

/** What makes a difference to one objective only. */
static Json objectiveToJson(const FlowTrainerOptions& options) {
    Json json = {{"pretraining_fraction", options.pretrainingFraction},
                 {"path_gradient_share", options.pathGradientShare},
                 {"buffer_size", options.bufferSize}};
    if (options.objective == "path-gradient")
        return {
            {"objective", "energy alone: reverse and forward Kullback-Leibler divergence by path gradients"},
            {"annealing_fraction", options.annealingFraction}};
    if (options.objective == "bootstrap") {
        json.update({{"objective", "energy alone: flow annealed importance sampling bootstrap"},
                     {"bootstrap_interval", options.bootstrapInterval},
                     {"annealing_densities", options.annealingDensities},
                     {"leapfrog_steps", options.leapfrogSteps},
                     {"initial_step_size", options.initialStepSize},
                     {"target_acceptance", options.targetAcceptance}});
        return json;
    }
    json.update({{"stage_steps", options.stageSteps}, {"path_gradients", options.pathGradients}});
    if (options.objective == "mass-transport")
        json.update({{"objective", "energy alone: constrained mass transport"},
                     {"trust_region", options.trustRegion},
                     {"entropy_decay", options.entropyDecay}});
    else
        json.update({{"objective", "energy alone: annealed importance training"},
                     {"annealing_fraction", options.annealingFraction}});
    return json;
}

Objective::Facts OpenMMFlow::describeEnergyTraining(const FlowTrainerOptions& options, const Target& target) {
    Json json = objectiveToJson(options);
    json.update({{"system", FlowBuilder::hashSystem(target.getSystem())},
                 {"temperature", target.getTemperature()},
                 {"initial_temperature", options.initialTemperature},
                 {"mass_covering", options.massCovering},
                 {"mass_balancing", options.massBalancing},
                 {"min_effective_fraction", options.minEffectiveFraction},
                 {"force_clip_factor", options.forceClipFactor},
                 {"target_effective_sample_fraction", options.targetEffectiveSampleFraction}});
    return toFacts(json);
}

std::string OpenMMFlow::describeTraining(const FlowTrainerOptions& options, const Objective::Facts& facts,
                                         const TrainingState& state, const TrainingOutcome& outcome) {
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    std::tm utc;
    gmtime_r(&now, &utc);
    char date[32];
    std::strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &utc);
    Json training;
    for (const auto& [name, value] : facts)
        training[name] = Json::parse(value);
    training.update({{"initial_flow", outcome.initialFlow},
                     {"options", scheduleToJson(options)},
                     {"steps", state.step},
                     {"total_steps", outcome.totalSteps},
                     {"ended", outcome.ended},
                     {"best_step", state.bestStep},
                     {"skipped_steps", state.skippedSteps},
                     {"relapses", state.relapses},
                     {"training_nll", state.bestTrainingNLL},
                     {"validation_nll", state.bestValidationNLL},
                     {"effective_sample_fraction", outcome.target.effectiveSampleFraction},
                     {"pareto_k", outcome.target.paretoK},
                     {"target_proposals", outcome.target.proposals},
                     {"energy_evaluations", outcome.energyEvaluations},
                     {"history", historyToJson(state)},
                     {"device", options.device},
                     {"threads", outcome.threads},
                     {"processes", outcome.processes},
                     {"time_budget", options.timeBudget},
                     {"seconds", state.seconds},
                     {"date", date},
                     {"version", OPENMMFLOW_VERSION},
                     {"torch_version", TORCH_VERSION},
                     {"machine", describeMachine()}});
    if (state.buffer.firstStep >= 0)
        training.update({{"flow_exponent", state.buffer.target.flowExponent},
                         {"target_exponent", state.buffer.target.targetExponent}});
    return training.dump();
}
