#include "openmmflow/FlowTrainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>

#include "BatchOrder.h"
#include "CheckOptions.h"
#include "GradientFilter.h"
#include "Provenance.h"
#include "ThreadCount.h"
#include "TrainableFlow.h"
#include "TrainingData.h"
#include "TrainingState.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/FlowSampler.h"
#include "openmmflow/internal/ContextMutex.h"

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

static Tensor toTensor(const std::vector<double>& values, at::IntArrayRef shape, at::ScalarType type) {
    return at::from_blob(const_cast<double*>(values.data()), shape, at::kDouble).to(type, false, true);
}

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/** A part of the data as tensors, which take the place of its arrays: these are gone afterwards. */
Frames makeFrames(TrainingData::Part& part, at::ScalarType type) {
    const Frames frames = {
        toTensor(part.coordinates, {part.numFrames, (int64_t)part.coordinates.size() / part.numFrames}, type),
        toTensor(part.weights, {part.numFrames}, type), part.logJacobian};
    part.coordinates = {};
    part.weights = {};
    return frames;
}

}  // namespace

struct FlowTrainer::Implementation {
    Flow flow;
    FlowTrainerOptions options;
    std::unique_ptr<TrainableFlow> trainable;
    std::unique_ptr<OpenMM::System> system;
    double temperature = 0;

    Implementation(const Flow& flow, const FlowTrainerOptions& options) : flow(flow), options(options) {
        checkOptions(options);
        trainable = TrainableFlow::create(flow, options);
    }
    double getLearningRate(int64_t step, int64_t totalSteps) const {
        const double cosine = 0.5 * (1 + std::cos(M_PI * (double)step / (double)totalSteps));
        const double rate = std::lerp(options.finalLearningRate, options.learningRate, cosine);
        const double warmup = std::min(1.0, (step + 1.0) / (options.warmupSteps + 1.0));
        return rate * std::lerp(options.initialLearningRate / options.learningRate, 1.0, warmup);
    }
    double validate(const Tensor& parameters, const Frames& frames) const;
    void update(TrainingState& state, double learningRate) const;
    void takeStep(TrainingState& state, const Frames& training, const std::vector<int64_t>& batch,
                  double learningRate) const;
    FlowTrainerProgress describeProgress(const TrainingState& state, int64_t totalSteps,
                                         int64_t numFrames) const;
    Flow train(const std::vector<double>& positions, const std::vector<double>& weights,
               const std::vector<int64_t>& blocks, const std::string& checkpoint, const Progress& progress,
               const std::vector<int64_t>& heldOutBlocks) const;
    TargetEstimate estimateTarget(const Tensor& parameters, int64_t step) const;
    std::map<std::string, std::string> getSamplerProperties() const {
        std::map<std::string, std::string> properties;
        if (options.threads > 0)
            properties["Threads"] = std::to_string(options.threads);
        return properties;
    }
};

double FlowTrainer::Implementation::validate(const Tensor& parameters, const Frames& frames) const {
    return trainable->validate(parameters, frames) - frames.logJacobian;
}

/** One step of Adam on the gradient of the parameters, and of their average, unless the gradient is skipped.
 */
void FlowTrainer::Implementation::update(TrainingState& state, double learningRate) const {
    c10::NoGradGuard noGradient;
    const int maxSkippedInARow = 100;
    Tensor gradient = state.parameters.grad();
    const double norm = gradient.norm().item<double>();
    const double divisor = GradientFilter(options).getDivisor(norm, state.gradientNorms);
    if (!std::isfinite(divisor)) {
        state.skippedSteps++;
        state.skippedInARow++;
        if (state.skippedInARow == maxSkippedInARow)
            throw OpenMMException("The gradient was not finite, or too large, in "
                                  + std::to_string(maxSkippedInARow)
                                  + " steps in a row; lower the learning rate or the largest gradient norm.");
        return;
    }
    state.skippedInARow = 0;
    Tensor count = at::full({}, (double)(state.step + 1 - state.skippedSteps), at::kFloat);
    Tensor scale = at::full({}, divisor, at::kFloat);
    std::vector<Tensor> parameters{state.parameters}, gradients{gradient}, first{state.firstMoment},
        second{state.secondMoment}, none, counts{count};
    at::_fused_adam_(parameters, gradients, first, second, none, counts, learningRate, 0.9, 0.999, 0.0, 1e-8,
                     false, false, scale, std::nullopt);
    // At the beginning the average is short, so that it forgets the initial weights.
    double decay = std::min(options.averagingDecay, (1.0 + state.step) / (10.0 + state.step));
    state.average.lerp_(state.parameters, 1 - decay);
}

/** One step on the frames of a batch. */
void FlowTrainer::Implementation::takeStep(TrainingState& state, const Frames& training,
                                           const std::vector<int64_t>& batch, double learningRate) const {
    const double nll = trainable->computeGradient(state.parameters, training, batch, state.step);
    update(state, learningRate);
    if (std::isfinite(nll)) {
        state.trainingNLLSum += nll - training.logJacobian;
        state.trainingNLLCount++;
    }
    state.step++;
}

/** What the state of a run tells of its progress. */
FlowTrainerProgress FlowTrainer::Implementation::describeProgress(const TrainingState& state,
                                                                  int64_t totalSteps,
                                                                  int64_t numFrames) const {
    FlowTrainerProgress report;
    report.step = state.step;
    report.totalSteps = totalSteps;
    report.samples = state.step * options.batchSize;
    report.epoch = (double)report.samples / (double)numFrames;
    report.validationNLL = state.validationNLL;
    report.bestValidationNLL = state.bestValidationNLL;
    report.effectiveSampleFraction = state.target.effectiveSampleFraction;
    report.paretoK = state.target.paretoK;
    report.skippedSteps = state.skippedSteps;
    return report;
}

/** Of these weights; nothing without a target. */
TargetEstimate FlowTrainer::Implementation::estimateTarget(const Tensor& parameters, int64_t step) const {
    if (!system)
        return {};
    FlowSampler sampler(*system, Flow(trainable->createModel(parameters)), temperature,
                        getSamplerProperties());
    WeightedEnsemble ensemble =
        sampler.sample(options.targetSamples, options.seed, step * options.targetSamples);
    return {options.targetSamples, ensemble.getEffectiveSampleFraction(), ensemble.getParetoK()};
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
    std::unique_ptr<OpenMM::System> copy = cloneSystem(system);
    // Creating a sampler checks that System, flow and temperature belong together.
    FlowSampler(*copy, impl->flow, temperature, impl->getSamplerProperties());
    impl->system = std::move(copy);
    impl->temperature = temperature;
}

Flow FlowTrainer::train(const std::vector<double>& positions, const std::vector<double>& weights,
                        const std::vector<int64_t>& blocks, const std::string& checkpoint,
                        const Progress& progress, const std::vector<int64_t>& heldOutBlocks) {
    try {
        return impl->train(positions, weights, blocks, checkpoint, progress, heldOutBlocks);
    } catch (const c10::Error& error) {
        throw OpenMMException("Torch could not go on (" + toClause(error.what_without_backtrace())
                              + "); if memory is short, choose a smaller batch size or fewer frames.");
    }
}

Flow FlowTrainer::Implementation::train(const std::vector<double>& positions,
                                        const std::vector<double>& weights,
                                        const std::vector<int64_t>& blocks, const std::string& checkpoint,
                                        const Progress& progress,
                                        const std::vector<int64_t>& heldOutBlocks) const {
    const Clock::time_point start = Clock::now();
    const ThreadCount threads(options.threads);
    TrainingData data = prepareTrainingData(
        *trainable, positions, weights, blocks,
        {options.validationFraction, options.maxValidationFrames, options.seed, heldOutBlocks});
    const Frames training = makeFrames(data.training, trainable->getDataType()),
                 validation = makeFrames(data.validation, trainable->getDataType());
    BatchOrder order(data.training.numFrames, options.batchSize, options.seed);
    double maxSamples = (double)options.maxSamples;
    if (options.maxEpochs > 0)
        maxSamples = std::min(maxSamples, options.maxEpochs * (double)data.training.numFrames);
    const int64_t totalSteps = std::max<int64_t>(1, (int64_t)(maxSamples / options.batchSize));

    std::map<std::string, std::string> identity = describeSchedule(options);
    identity["flow"] = flow.getHash();
    identity["data"] = data.hash;
    identity["choice of held-out blocks"] = describeHeldOutBlocks(data);
    TrainingState state =
        !checkpoint.empty() && std::filesystem::exists(checkpoint)
            ? TrainingState::load(checkpoint, identity, trainable->getParameters(), totalSteps)
            : TrainingState::begin(trainable->getParameters());
    if (state.step == 0)
        state.recordValidation(validate(state.average, validation));
    const int64_t firstStep = state.step;
    const double earlierSeconds = state.seconds;
    Clock::time_point lastCheckpoint = start, lastProgress = start;
    const char* stopped = nullptr;
    while (stopped == nullptr && !state.finished) {
        const double learningRate = getLearningRate(state.step, totalSteps);
        takeStep(state, training, order.getBatch(state.step), learningRate);
        state.seconds = earlierSeconds + secondsSince(start);

        const double trainingNLL = state.getTrainingNLL();
        const bool last = state.step >= totalSteps;
        const bool validated = last || state.step % options.validationInterval == 0;
        if (validated) {
            state.recordValidation(validate(state.average, validation));
            state.finished = last || (options.patience > 0 && state.validationsSinceBest >= options.patience);
        }
        if (!state.finished && state.step % options.targetInterval == 0)
            state.target = estimateTarget(state.average, state.step);
        if (options.timeBudget > 0 && secondsSince(start) > options.timeBudget)
            stopped = "time budget";
        if (progress && (validated || stopped != nullptr || secondsSince(lastProgress) > 1)) {
            lastProgress = Clock::now();
            FlowTrainerProgress report = describeProgress(state, totalSteps, data.training.numFrames);
            report.learningRate = learningRate;
            report.trainingNLL = trainingNLL;
            report.samplesPerSecond =
                (double)(state.step - firstStep) * options.batchSize / secondsSince(start);
            report.secondsLeft =
                (double)(totalSteps - state.step) * options.batchSize / report.samplesPerSecond;
            if (options.timeBudget > 0)
                report.secondsLeft =
                    std::clamp(options.timeBudget - secondsSince(start), 0.0, report.secondsLeft);
            if (!progress(report))
                stopped = "callback";
        }
        if (!checkpoint.empty()
            && (stopped != nullptr || state.finished
                || secondsSince(lastCheckpoint) > options.checkpointInterval)) {
            state.save(checkpoint, identity);
            lastCheckpoint = Clock::now();
        }
    }
    TrainingOutcome outcome;
    outcome.initialFlow = flow.getHash();
    outcome.threads = at::get_num_threads();
    outcome.totalSteps = totalSteps;
    outcome.ended = !state.finished ? stopped : state.step >= totalSteps ? "all samples used" : "patience";
    outcome.target = estimateTarget(state.best, state.step);
    return Flow(trainable->createModel(state.best), flow.getMetadata())
        .withMetadata("training", describeTraining(options, data, state, outcome));
}
