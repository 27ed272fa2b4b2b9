#include "StagedObjective.h"

#include <cmath>
#include <numeric>

#include <ATen/ATen.h>

#include "BatchLikelihood.h"
#include "PathDifferences.h"
#include "TensorArrays.h"
#include "TrainingState.h"
#include "TruncatedWeights.h"
#include "openmm/OpenMMException.h"

using namespace OpenMMFlow;
using at::Tensor;

StagedObjective::StagedObjective(const TrainableFlow& trainable, const FlowTrainerOptions& options,
                                 const Target& target, const ProcessGroup& group)
    : BufferedObjective(trainable, options, target, group),
      ladder(TargetLadder::create(options, target.getTemperature())) {
    if (options.bufferSize < group.getSize())
        throw OpenMM::OpenMMException("The size of the buffer must not be less than the "
                                      + std::to_string(group.getSize()) + " processes.");
}

double StagedObjective::computeBufferGradient(TrainingState& state) {
    if ((state.step - schedule.countPretrainingSteps()) % options.stageSteps == 0
        || state.buffer.firstStep < 0) {
        stage = drawStage(state);
        if (!stage)
            return state.leaveOut();
    } else if (!stage || stage->firstStep != state.buffer.firstStep) {
        state.buffer.require(true);
        stage = restoreStage(state.buffer);
    }
    const std::vector<int64_t> batch = stage->order.getBatch(state.step);
    // The weights of a batch are 1 on average over all batches only.
    const double average =
        stage->frames.weights.index_select(0, at::tensor(batch, at::kLong)).mean().item<double>();
    if (options.pathGradients)
        return computeForwardGradient(state.parameters, state.buffer.target, batch) / average;
    return computeBatchLikelihood(trainable, state.parameters, stage->frames, batch,
                                  state.step * options.batchSize, group)
               / average
           - stage->frames.logJacobian;
}

double StagedObjective::computeForwardGradient(Tensor& parameters, const IntermediateTarget& intermediate,
                                               const std::vector<int64_t>& batch) const {
    const std::vector<int64_t> part = group.selectShare(batch);
    const Tensor indices = at::tensor(part, at::kLong);
    const PathSamples samples =
        trainable.evaluatePaths(parameters, toVector(stage->frames.coordinates.index_select(0, indices)));
    const PathSamples flow = stage->flow.select(part);
    const EnergyPaths energies = stage->energies.select(part);
    PathDifferences differences(samples, {intermediate, getKT(), energies, flow}, options.forceClipFactor,
                                group);
    return differences.computeForwardGradient(trainable, parameters, samples,
                                              toVector(stage->frames.weights.index_select(0, indices)),
                                              options.batchSize, 0, group);
}

IntermediateTarget StagedObjective::getMixedTarget(const TrainingState& state) const {
    return state.buffer.target;
}

EnergyPaths StagedObjective::computeEnergies(const std::vector<double>& positions) const {
    return options.pathGradients ? EnergyPaths::compute(trainable, positions, *potential)
                                 : EnergyPaths{potential->computeEnergies(positions), {}};
}

std::optional<StagedObjective::Stage> StagedObjective::drawStage(TrainingState& state) const {
    SampleBuffer& buffer = state.buffer;
    const auto [first, count] = group.getShare(options.bufferSize);
    std::vector<double> coordinates =
        trainable
            .samplePaths(state.parameters, count, options.seed,
                         firstKeptSample + (uint64_t)buffer.drawn + (uint64_t)first)
            .coordinates;
    roundToSingle(coordinates);
    // As a run that resumes finds them.
    PathSamples samples = trainable.evaluatePaths(state.parameters, coordinates);
    EnergyPaths energies = computeEnergies(samples.positions);
    samples.positions.clear();
    for (std::vector<double>* values :
         {&samples.coordinates, &samples.logQ, &samples.gradient, &energies.energies, &energies.gradient})
        *values = group.gather(*values).values;
    state.energyEvaluations += options.bufferSize;
    std::vector<int64_t> kept;
    for (int k = 0; k < options.bufferSize; k++)
        if (std::isfinite(samples.logQ[k]) && std::isfinite(energies.energies[k]))
            kept.push_back(k);
    if (kept.empty() && state.step == 0)
        failWithoutEnergies(options.bufferSize);
    if (kept.empty()) {
        buffer.clear();
        return std::nullopt;
    }
    PathSamples flow = samples.select(kept);
    EnergyPaths keptEnergies = energies.select(kept);
    buffer.coordinates = flow.coordinates;
    buffer.logQ = flow.logQ;
    buffer.energies = keptEnergies.energies;
    buffer.proposal = state.parameters.detach().clone();
    buffer.firstStep = state.step;
    buffer.drawn += options.bufferSize;
    buffer.target = ladder->choose(buffer);
    Stage drawn = makeStage(buffer);
    drawn.flow = std::move(flow);
    drawn.energies = std::move(keptEnergies);
    return drawn;
}

StagedObjective::Stage StagedObjective::restoreStage(const SampleBuffer& buffer) const {
    Stage restored = makeStage(buffer);
    if (options.pathGradients) {
        restored.flow = trainable.evaluatePaths(buffer.proposal, buffer.coordinates);
        restored.energies = computeEnergies(restored.flow.positions);
    }
    return restored;
}

StagedObjective::Stage StagedObjective::makeStage(const SampleBuffer& buffer) const {
    const int64_t count = buffer.size();
    std::vector<double> logWeights;
    for (int64_t k = 0; k < count; k++)
        logWeights.push_back(buffer.target.getLogDensity(buffer.logQ[k], -buffer.energies[k] / getKT())
                             - buffer.logQ[k]);
    std::vector<double> weights = computeTruncatedWeights(logWeights);
    const double average = std::accumulate(weights.begin(), weights.end(), 0.0) / (double)count;
    for (double& weight : weights)
        weight /= average;
    return {buffer.firstStep,
            makeFrames(buffer.coordinates, weights),
            BatchOrder(count, options.batchSize, options.seed),
            {},
            {}};
}
