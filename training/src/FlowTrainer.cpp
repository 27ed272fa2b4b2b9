#include "openmmflow/FlowTrainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "BatchOrder.h"
#include "InternalFlowModule.h"
#include "Provenance.h"
#include "TrainingData.h"
#include "TrainingState.h"
#include "openmm/OpenMMException.h"
#include "openmm/serialization/XmlSerializer.h"
#include "openmmflow/FlowSampler.h"

using namespace OpenMMFlow;
using at::Tensor;
using OpenMM::OpenMMException;

static void checkOptions(const FlowTrainerOptions& options) {
    auto require = [](bool condition, const char* sentence) {
        if (!condition)
            throw OpenMMException(sentence);
    };
    require(options.batchSize > 0, "The batch size must be positive.");
    require(options.learningRate > 0 && std::isfinite(options.learningRate),
            "The learning rate must be positive.");
    require(options.warmupSteps >= 0, "The number of warm-up steps must not be negative.");
    require(options.maxSamples > 0, "The number of training samples must be positive.");
    require(options.maxEpochs >= 0 && options.timeBudget >= 0,
            "The limits on epochs and time must be positive, or 0 for none.");
    require(options.maxGradientNorm > 0, "The largest gradient norm must be positive.");
    require(options.averagingDecay >= 0 && options.averagingDecay < 1,
            "The decay of the average must be in [0, 1).");
    require(options.validationFraction > 0 && options.validationFraction < 1,
            "The validation fraction must be between 0 and 1.");
    require(options.maxValidationFrames > 0, "The number of validation frames must be positive.");
    require(options.validationInterval > 0 && options.targetInterval > 0 && options.targetSamples > 0,
            "The intervals of validation and of the effective sample size must be positive.");
    require(options.patience >= 0, "The patience must not be negative.");
    require(options.checkpointInterval >= 0, "The interval between checkpoints must not be negative.");
    require(options.threads >= 0, "The number of threads must not be negative.");
    require(options.precision == "single" || options.precision == "double",
            "The precision of training must be \"single\" or \"double\".");
}

static Tensor toTensor(const std::vector<double>& values, at::IntArrayRef shape, at::ScalarType type) {
    return at::from_blob(const_cast<double*>(values.data()), shape, at::kDouble).to(type, false, true);
}

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/** Frames of one part of the data as tensors. */
struct Frames {
    Frames(const TrainingData::Part& part, at::ScalarType type)
        : coordinates(toTensor(part.coordinates,
                               {part.numFrames, (int64_t)part.coordinates.size() / part.numFrames}, type)),
          weights(toTensor(part.weights, {part.numFrames}, type)),
          logJacobian(part.logJacobian) {}
    /** (D, batch) */
    Tensor getBatch(const Tensor& indices) const {
        return coordinates.index_select(0, indices).t().contiguous();
    }
    Tensor coordinates, weights;
    double logJacobian;
};

}  // namespace

struct FlowTrainer::Implementation {
    Flow flow;
    FlowTrainerOptions options;
    std::shared_ptr<const InternalFlowModel> model;
    std::unique_ptr<OpenMM::System> system;
    double temperature = 0;

    Implementation(const Flow& flow, const FlowTrainerOptions& options) : flow(flow), options(options) {
        checkOptions(options);
        const auto* internal = dynamic_cast<const InternalFlowModel*>(&flow.getModel());
        if (internal == nullptr)
            throw OpenMMException("Flows of the family \"" + flow.getFamily()
                                  + "\" cannot be trained by FlowTrainer.");
        model = std::make_shared<InternalFlowModel>(*internal);
    }
    double getLearningRate(int64_t step, int64_t totalSteps) const {
        double warmup = std::min(1.0, (step + 1.0) / (options.warmupSteps + 1.0));
        return options.learningRate * warmup * 0.5 * (1 + std::cos(M_PI * (double)step / (double)totalSteps));
    }
    double validate(const InternalFlowModule& module, const Tensor& parameters, const Frames& frames) const;
    void update(TrainingState& state, double learningRate) const;
    void estimateTarget(const InternalFlowModule& module, const Tensor& parameters, TrainingState& state) const;
};

double FlowTrainer::Implementation::validate(const InternalFlowModule& module, const Tensor& parameters,
                                             const Frames& frames) const {
    c10::NoGradGuard noGradient;
    const int64_t count = frames.weights.size(0), block = 2048;
    double sum = 0;
    for (int64_t start = 0; start < count; start += block) {
        int64_t size = std::min(block, count - start);
        Tensor logQ =
            module.logDensity(parameters, frames.coordinates.narrow(0, start, size).t().contiguous());
        sum += (logQ * frames.weights.narrow(0, start, size)).sum(at::kDouble).item<double>();
    }
    return -sum / (double)count - frames.logJacobian;
}

/** One step of Adam on the gradient of the parameters, and of their average. A gradient that is not finite is
 * skipped. */
void FlowTrainer::Implementation::update(TrainingState& state, double learningRate) const {
    c10::NoGradGuard noGradient;
    const int maxSkippedInARow = 100;
    Tensor gradient = state.parameters.grad();
    const double norm = gradient.norm().item<double>();
    if (!std::isfinite(norm)) {
        state.skippedSteps++;
        state.skippedInARow++;
        if (state.skippedInARow == maxSkippedInARow)
            throw OpenMMException("The gradient was not finite in " + std::to_string(maxSkippedInARow)
                                  + " steps in a row; lower the learning rate or the largest gradient norm.");
        return;
    }
    state.skippedInARow = 0;
    Tensor count = at::full({}, (double)(state.step + 1 - state.skippedSteps), at::kFloat);
    Tensor scale = at::full({}, std::max(1.0, norm / options.maxGradientNorm), at::kFloat);
    std::vector<Tensor> parameters{state.parameters}, gradients{gradient}, first{state.firstMoment},
        second{state.secondMoment}, none, counts{count};
    at::_fused_adam_(parameters, gradients, first, second, none, counts, learningRate, 0.9, 0.999, 0.0, 1e-8,
                     false, false, scale, std::nullopt);
    // At the beginning the average is short, so that it forgets the initial weights.
    double decay = std::min(options.averagingDecay, (1.0 + state.step) / (10.0 + state.step));
    state.average.lerp_(state.parameters, 1 - decay);
}

void FlowTrainer::Implementation::estimateTarget(const InternalFlowModule& module, const Tensor& parameters,
                                                 TrainingState& state) const {
    FlowSampler sampler(*system, Flow(module.createModel(parameters)), temperature);
    WeightedEnsemble ensemble =
        sampler.sample(options.targetSamples, options.seed, state.step * options.targetSamples);
    state.effectiveSampleFraction = ensemble.getEffectiveSampleFraction();
    state.paretoK = ensemble.getParetoK();
}

FlowTrainer::FlowTrainer(const Flow& flow, const FlowTrainerOptions& options)
    : impl(std::make_unique<Implementation>(flow, options)) {}

FlowTrainer::~FlowTrainer() = default;

const FlowTrainerOptions& FlowTrainer::getOptions() const {
    return impl->options;
}

void FlowTrainer::setTarget(const OpenMM::System& system, double temperature) {
    std::unique_ptr<OpenMM::System> copy(OpenMM::XmlSerializer::clone<OpenMM::System>(system));
    // Creating a sampler checks that System, flow and temperature belong together.
    FlowSampler(*copy, impl->flow, temperature);
    impl->system = std::move(copy);
    impl->temperature = temperature;
}

Flow FlowTrainer::train(const std::vector<double>& positions, const std::vector<double>& weights,
                        const std::vector<int64_t>& blocks, const std::string& checkpoint,
                        const Progress& progress, const std::vector<int64_t>& heldOutBlocks) {
    const FlowTrainerOptions& options = impl->options;
    const Clock::time_point start = Clock::now();
    if (options.threads > 0)
        at::set_num_threads(options.threads);
    const at::ScalarType type = options.precision == "double" ? at::kDouble : at::kFloat;
    const TrainingData data =
        prepareTrainingData(*impl->model, positions, weights, blocks,
                            {options.validationFraction, options.maxValidationFrames, options.seed, heldOutBlocks});
    const Frames training(data.training, type), validation(data.validation, type);
    const InternalFlowModule module(impl->model, type, InternalFlowModule::Splines::Shared);
    BatchOrder order(data.training.numFrames, options.batchSize, options.seed);
    double maxSamples = (double)options.maxSamples;
    if (options.maxEpochs > 0)
        maxSamples = std::min(maxSamples, options.maxEpochs * (double)data.training.numFrames);
    const int64_t totalSteps = std::max<int64_t>(1, (int64_t)(maxSamples / options.batchSize));

    const std::map<std::string, std::string> identity{
        {"flow", impl->flow.getHash()},
        {"data", data.hash},
        {"options", describeSchedule(options)},
        {"choice of held-out blocks", describeHeldOutBlocks(data)}};
    TrainingState state = !checkpoint.empty() && std::filesystem::exists(checkpoint)
                              ? TrainingState::load(checkpoint, identity, module.getParameters())
                              : TrainingState::begin(module.getParameters());
    if (state.step == 0)
        state.recordValidation(impl->validate(module, state.average, validation));
    state.parameters.set_requires_grad(true);
    const int64_t firstStep = state.step;
    const double earlierSeconds = state.seconds;
    Clock::time_point lastCheckpoint = start, lastProgress = start;
    bool stop = false;
    while (!stop && !state.finished) {
        const double learningRate = impl->getLearningRate(state.step, totalSteps);
        const Tensor indices = at::tensor(order.getBatch(state.step), at::kLong);
        state.parameters.mutable_grad().reset();
        const Tensor logQ = module.logDensity(state.parameters, training.getBatch(indices));
        const Tensor loss = -(logQ * training.weights.index_select(0, indices)).mean();
        loss.backward();
        impl->update(state, learningRate);
        if (double value = loss.item<double>(); std::isfinite(value)) {
            state.trainingNLLSum += value - training.logJacobian;
            state.trainingNLLCount++;
        }
        state.step++;
        state.seconds = earlierSeconds + secondsSince(start);

        FlowTrainerProgress report;
        report.trainingNLL = state.getTrainingNLL();
        const bool last = state.step == totalSteps;
        const bool validated = last || state.step % options.validationInterval == 0;
        if (validated) {
            state.recordValidation(impl->validate(module, state.average, validation));
            state.finished = last || (options.patience > 0 && state.validationsSinceBest >= options.patience);
        }
        if (impl->system && (state.finished || state.step % options.targetInterval == 0))
            impl->estimateTarget(module, state.finished ? state.best : state.average, state);
        if (options.timeBudget > 0 && secondsSince(start) > options.timeBudget)
            stop = true;
        if (progress && (validated || stop || secondsSince(lastProgress) > 1)) {
            lastProgress = Clock::now();
            report.step = state.step;
            report.totalSteps = totalSteps;
            report.samples = state.step * options.batchSize;
            report.epoch = (double)report.samples / (double)data.training.numFrames;
            report.learningRate = learningRate;
            report.validationNLL = state.validationNLL;
            report.bestValidationNLL = state.bestValidationNLL;
            report.effectiveSampleFraction = state.effectiveSampleFraction;
            report.paretoK = state.paretoK;
            report.skippedSteps = state.skippedSteps;
            report.samplesPerSecond =
                (double)(state.step - firstStep) * options.batchSize / secondsSince(start);
            report.secondsLeft =
                (double)(totalSteps - state.step) * options.batchSize / report.samplesPerSecond;
            if (!progress(report))
                stop = true;
        }
        if (!checkpoint.empty()
            && (stop || state.finished || secondsSince(lastCheckpoint) > options.checkpointInterval)) {
            state.save(checkpoint, identity);
            lastCheckpoint = Clock::now();
        }
    }
    return Flow(module.createModel(state.best), impl->flow.getMetadata())
        .withMetadata("training", describeTraining(options, data, state, totalSteps));
}
