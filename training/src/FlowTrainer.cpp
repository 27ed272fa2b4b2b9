#include "openmmflow/FlowTrainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include "CheckOptions.h"
#include "EnergyObjective.h"
#include "LikelihoodObjective.h"
#include "Optimizer.h"
#include "Provenance.h"
#include "ThreadCount.h"
#include "TrainableFlow.h"
#include "TrainingData.h"
#include "TrainingState.h"
#include "openmm/OpenMMException.h"

using namespace OpenMMFlow;
using at::Tensor;
using OpenMM::OpenMMException;

/** The first line of a message as part of a sentence. */
static std::string toClause(std::string message) {
    const size_t maxLength = 250;
    message = message.substr(0, std::min(message.find('\n'), maxLength));
    for (size_t end; (end = message.find(". ")) != std::string::npos;)
        message[end] = ';';
    if (message.ends_with('.'))
        message.pop_back();
    return message;
}

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/** Why a run ends before it is finished. Where processes have several reasons, the last of these counts. */
enum Stop { NoStop, TimeBudget, Callback };

}  // namespace

struct FlowTrainer::Implementation {
    Flow flow;
    FlowTrainerOptions options;
    std::unique_ptr<TrainableFlow> trainable;
    std::unique_ptr<Target> target;

    Implementation(const Flow& flow, const FlowTrainerOptions& options);
    FlowTrainerProgress describeProgress(const TrainingState& state, const Objective& objective) const;
    Flow train(Objective& objective, const ProcessGroup& group, const std::string& checkpoint,
               const Progress& progress) const;
    void advance(TrainingState& state, const Objective& objective, double seconds,
                 const ProcessGroup& group) const;
    TargetEstimate estimateTarget(const Tensor& parameters, TrainingState& state,
                                  const ProcessGroup& group) const;
};

/** Run what may take much memory, and say what an error of Torch is about. */
template <class Run>
static auto explainTorch(const Run& run) {
    try {
        return run();
    } catch (const c10::Error& error) {
        throw OpenMMException("Torch could not go on (" + toClause(error.what_without_backtrace())
                              + "); if memory is short, choose a smaller batch size or fewer frames.");
    }
}

FlowTrainer::Implementation::Implementation(const Flow& flow, const FlowTrainerOptions& options)
    : flow(flow), options(options) {
    checkOptions(options);
    this->options.threads = ProcessGroup::getNumThreads(options.threads);
    trainable = explainTorch([&] { return TrainableFlow::create(flow, this->options); });
}

/** What the state of a run tells of its progress. */
FlowTrainerProgress FlowTrainer::Implementation::describeProgress(const TrainingState& state,
                                                                  const Objective& objective) const {
    FlowTrainerProgress report;
    report.step = state.step;
    report.totalSteps = objective.countSteps();
    report.samples = state.step * options.batchSize;
    if (objective.getEpochSize() > 0)
        report.epoch = (double)report.samples / (double)objective.getEpochSize();
    report.energyEvaluations = state.energyEvaluations;
    report.temperature = objective.getTemperature((int64_t)state.getPosition());
    report.validationNLL = state.validationNLL;
    report.bestValidationNLL = state.bestValidationNLL;
    report.effectiveSampleFraction = state.target.effectiveSampleFraction;
    report.paretoK = state.target.paretoK;
    report.skippedSteps = state.skippedSteps;
    report.relapses = state.relapses;
    return report;
}

/** Count a step that ended after so many seconds. What is left of the schedule is spread over what is left of
 * the time budget, by the clock of the first process. */
void FlowTrainer::Implementation::advance(TrainingState& state, const Objective& objective, double seconds,
                                          const ProcessGroup& group) const {
    const double left = options.timeBudget - state.seconds, spent = seconds - state.seconds;
    const double position = state.getPosition(), end = (double)objective.countSteps();
    state.seconds = seconds;
    state.step++;
    double next = position + 1;
    if (options.timeBudget > 0 && objective.canHurry())
        next = left > spent ? std::max(next, position + (end - position) * spent / left) : end;
    Tensor lead = at::full({}, std::min(next, end) - (double)state.step, at::kDouble);
    group.copyFirst(lead);
    state.lead = lead.item<double>();
}

/** Of these weights; nothing without a target. */
TargetEstimate FlowTrainer::Implementation::estimateTarget(const Tensor& parameters, TrainingState& state,
                                                           const ProcessGroup& group) const {
    if (!target)
        return {};
    state.energyEvaluations += options.targetSamples;
    return target->estimate(Flow(trainable->createModel(parameters)), state.step, group);
}

FlowTrainer::FlowTrainer(const Flow& flow, const FlowTrainerOptions& options)
    : impl(std::make_unique<Implementation>(flow, options)) {}

FlowTrainer::~FlowTrainer() = default;

const FlowTrainerOptions& FlowTrainer::getOptions() const {
    return impl->options;
}

int FlowTrainer::getNumParticles() const {
    return impl->trainable->getNumParticles();
}

void FlowTrainer::setTarget(const OpenMM::System& system, double temperature) {
    impl->target = std::make_unique<Target>(system, temperature, impl->flow, impl->options);
}

Flow FlowTrainer::train(const std::vector<double>& positions, const std::vector<double>& weights,
                        const std::vector<int64_t>& blocks, const std::string& checkpoint,
                        const Progress& progress, const std::vector<int64_t>& heldOutBlocks) {
    const FlowTrainerOptions& options = impl->options;
    return explainTorch([&] {
        const ThreadCount threads(options.threads);
        const ProcessGroup group;
        TrainingData data = prepareTrainingData(
            *impl->trainable, positions, weights, blocks,
            {options.validationFraction, options.maxValidationFrames, options.seed, heldOutBlocks});
        LikelihoodObjective objective(*impl->trainable, options, data, impl->target.get(), group);
        return impl->train(objective, group, checkpoint, progress);
    });
}

Flow FlowTrainer::trainOnEnergy(const std::string& checkpoint, const Progress& progress) {
    if (!impl->target)
        throw OpenMMException(
            "Training from the energy alone needs a System and a temperature: call setTarget() first.");
    return explainTorch([&] {
        const ThreadCount threads(impl->options.threads);
        const ProcessGroup group;
        const auto objective = EnergyObjective::create(*impl->trainable, impl->options, *impl->target, group);
        return impl->train(*objective, group, checkpoint, progress);
    });
}

/** @throws OpenMMException if there are more processes than samples to share */
static void checkShares(const FlowTrainerOptions& options, const ProcessGroup& group) {
    if (std::min(options.batchSize, options.targetSamples) < group.getSize())
        throw OpenMMException(
            "The batch size and the number of proposals of estimates must not be less than the "
            + std::to_string(group.getSize()) + " processes.");
}

Flow FlowTrainer::Implementation::train(Objective& objective, const ProcessGroup& group,
                                        const std::string& checkpoint, const Progress& progress) const {
    checkShares(options, group);
    const bool writes = !checkpoint.empty() && group.getRank() == 0;
    const Clock::time_point start = Clock::now();
    const int64_t totalSteps = objective.countSteps();
    const Optimizer optimizer(options, trainable->getLayers(), totalSteps);
    std::map<std::string, std::string> identity = describeSchedule(options);
    identity.merge(objective.getIdentity());
    identity["flow"] = flow.getHash();
    TrainingState state = optimizer.begin(trainable->getParameters());
    state.buffer.numCoordinates = trainable->getNumCoordinates();
    if (writes && std::filesystem::exists(checkpoint))
        state = TrainingState::load(checkpoint, identity, state, totalSteps);
    state.share(group, identity, totalSteps);
    // Processors of another kind round otherwise, so that weights would drift apart.
    auto validate = [&] {
        group.copyFirst(state.average);
        state.recordValidation(objective.validate(state), objective.hasBest());
    };
    if (state.step == 0) {
        validate();
        state.recordHistory(!objective.hasBest());
    }
    const double budget = options.timeBudget;
    // Where the schedule can hurry, one more step is its end.
    if (budget > 0 && state.step > 0 && !state.finished && state.seconds >= budget && !objective.canHurry())
        throw OpenMMException("The run to go on with has taken " + std::to_string((int64_t)state.seconds)
                              + " s, which is all of the time budget: give a larger one, or 0 for no limit.");
    const int64_t firstStep = state.step;
    const double earlierSeconds = state.seconds;
    Clock::time_point lastCheckpoint = start, lastProgress = start;
    int64_t stop = NoStop;
    while (stop == NoStop && !state.finished) {
        const double learningRate = optimizer.getLearningRate(state);
        const double value = objective.computeGradient(state);
        group.sum(state.parameters.mutable_grad());
        optimizer.update(state);
        group.copyFirst(state.parameters);
        if (std::isfinite(value)) {
            state.trainingNLLSum += value;
            state.trainingNLLCount++;
        }
        advance(state, objective, earlierSeconds + secondsSince(start), group);
        if (!objective.hasBest())
            optimizer.guard(state, value);

        const double trainingNLL = state.getTrainingNLL();
        const bool last = state.getPosition() >= (double)totalSteps;
        const bool validated = last || state.step % options.validationInterval == 0;
        if (validated) {
            validate();
            state.finished = last || objective.isReached(state)
                             || (options.patience > 0 && state.validationsSinceBest >= options.patience);
        }
        const bool estimated =
            !state.finished && objective.hasBest() && state.step % options.targetInterval == 0;
        if (estimated) {
            group.copyFirst(state.average);
            state.target = estimateTarget(state.average, state, group);
        }
        if (validated || (estimated && target))
            state.recordHistory(estimated || !objective.hasBest());
        if (validated && !state.finished && objective.canDrift())
            optimizer.limitDrift(state);
        if (budget > 0 && !state.finished && state.seconds >= budget)
            stop = TimeBudget;
        if (progress && (validated || stop != NoStop || secondsSince(lastProgress) > 1)) {
            lastProgress = Clock::now();
            FlowTrainerProgress report = describeProgress(state, objective);
            report.learningRate = learningRate;
            report.trainingNLL = trainingNLL;
            report.samplesPerSecond =
                (double)(state.step - firstStep) * options.batchSize / secondsSince(start);
            report.secondsLeft =
                (double)(totalSteps - state.step) * options.batchSize / report.samplesPerSecond;
            if (budget > 0)
                report.secondsLeft = std::clamp(budget - state.seconds, 0.0, report.secondsLeft);
            if (!progress(report))
                stop = Callback;
        }
        stop = group.max(stop);
        if (writes
            && (stop != NoStop || state.finished
                || secondsSince(lastCheckpoint) > options.checkpointInterval)) {
            state.save(checkpoint, identity);
            lastCheckpoint = Clock::now();
        }
    }
    // A run that is stopped between validations goes on from its checkpoint as if it had not been.
    if (!objective.hasBest() && state.bestStep < state.step) {
        validate();
        state.recordHistory(true);
    }
    TrainingOutcome outcome;
    outcome.initialFlow = flow.getHash();
    outcome.threads = at::get_num_threads();
    outcome.processes = group.getSize();
    outcome.totalSteps = totalSteps;
    outcome.ended = !state.finished              ? (stop == Callback ? "callback" : "time budget")
                    : state.step >= totalSteps   ? "all samples used"
                    : objective.isReached(state) ? "effective sample size reached"
                    : state.getPosition() >= (double)totalSteps ? "time budget"
                                                                : "patience";
    outcome.target = objective.hasBest() ? estimateTarget(state.best, state, group) : state.target;
    outcome.energyEvaluations = state.energyEvaluations;
    // Times differ, and the flow is to be the same in all processes.
    const std::string training =
        group.broadcast(describeTraining(options, objective.describe(), state, outcome));
    return Flow(trainable->createModel(state.best), flow.getMetadata()).withMetadata("training", training);
}
