#include "EnergyObjective.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "KernelOptions.h"
#include "Median.h"
#include "Provenance.h"
#include "TrainingState.h"
#include "openmm/OpenMMException.h"
#include "openmm/reference/SimTKOpenMMRealType.h"

using namespace OpenMMFlow;
using at::Tensor;

namespace {

/** The samples of steps of training, which none of those of estimates equals. */
const uint64_t firstTrainingSample = uint64_t(1) << 62;

/**
 * The importance weight of each sample in the forward divergence, 1 on average before the largest are
 * truncated (Ionides 2008): a batch is too small to know what is larger than the root of its size.
 */
std::vector<double> computeWeights(const std::vector<double>& logWeights) {
    double largest = -INFINITY;
    for (double logWeight : logWeights)
        largest = std::max(largest, logWeight);
    std::vector<double> weights;
    double sum = 0;
    for (double logWeight : logWeights) {
        weights.push_back(std::exp(logWeight - largest));
        sum += weights.back();
    }
    const double count = (double)weights.size();
    for (double& weight : weights)
        weight = std::min(weight * count / sum, std::sqrt(count));
    return weights;
}

}  // namespace

EnergyObjective::EnergyObjective(const TrainableFlow& trainable, const FlowTrainerOptions& options,
                                 const Target& target)
    : trainable(trainable),
      options(options),
      target(target),
      potential(std::make_unique<BatchedPotential>(target.getSystem(), getThreadProperties(options))) {}

std::map<std::string, std::string> EnergyObjective::getIdentity() const {
    const Facts facts = describe();
    std::map<std::string, std::string> identity(facts.begin(), facts.end());
    // When a run ends changes nothing before.
    identity.erase("target_effective_sample_fraction");
    return identity;
}

Objective::Facts EnergyObjective::describe() const {
    return describeEnergyTraining(options, target);
}

int64_t EnergyObjective::countSteps() const {
    return std::max<int64_t>(1, options.maxSamples / options.batchSize);
}

double EnergyObjective::getTemperature(int64_t step) const {
    const double end = options.annealingFraction * (double)countSteps();
    const double left = end > 0 ? std::max(0.0, 1 - (double)step / end) : 0;
    const double start = std::max(options.initialTemperature, target.getTemperature());
    return target.getTemperature() * std::pow(start / target.getTemperature(), left);
}

double EnergyObjective::computeGradient(Tensor& parameters, int64_t step) {
    const double kT = BOLTZ * getTemperature(step);
    const PathSamples samples =
        trainable.samplePaths(parameters, options.batchSize, options.seed,
                              firstTrainingSample + (uint64_t)step * options.batchSize);
    std::vector<double> energies, forces;
    potential->computeEnergiesAndForces(samples.positions, energies, forces);

    // Samples that have no weight are left out: of no support, or with an energy that is none.
    const size_t N = 3 * trainable.getNumParticles(), D = trainable.getNumCoordinates();
    std::vector<double> coordinates, difference, norms, logWeights;
    for (size_t k = 0; k < energies.size(); k++) {
        std::vector<double> g = trainable.toCoordinateGradient(&samples.positions[k * N], &forces[k * N]);
        double square = 0;
        for (size_t j = 0; j < D; j++) {
            g[j] = samples.gradient[k * D + j] - g[j] / kT;
            square += g[j] * g[j];
        }
        const double logWeight = -energies[k] / kT - samples.logQ[k];
        if (!std::isfinite(square) || !std::isfinite(logWeight))
            continue;
        coordinates.insert(coordinates.end(), &samples.coordinates[k * D], &samples.coordinates[k * D] + D);
        difference.insert(difference.end(), g.begin(), g.end());
        norms.push_back(std::sqrt(square));
        logWeights.push_back(logWeight);
    }
    if (logWeights.empty())
        throw OpenMM::OpenMMException(
            "None of " + std::to_string(options.batchSize)
            + " proposals of the flow has a finite energy; check that the System and the positions that the "
              "flow was made from belong together, or lower the learning rate.");
    const std::vector<double> weights = computeWeights(logWeights);
    const double longest =
        options.forceClipFactor > 0 ? options.forceClipFactor * getMedian(norms) : INFINITY;
    double sum = 0;
    for (size_t k = 0; k < logWeights.size(); k++) {
        sum -= logWeights[k];
        const double factor = std::lerp(1.0, weights[k], options.massCovering)
                              * std::min(1.0, longest / norms[k]) / (double)logWeights.size();
        for (size_t j = 0; j < D; j++)
            difference[k * D + j] *= factor;
    }
    trainable.computePathGradient(parameters, coordinates, difference);
    return sum / (double)logWeights.size();
}

bool EnergyObjective::isReached(const TrainingState& state) const {
    const double wanted = options.targetEffectiveSampleFraction;
    return wanted > 0 && (double)state.step >= options.annealingFraction * (double)countSteps()
           && state.target.effectiveSampleFraction >= wanted;
}

double EnergyObjective::validate(TrainingState& state) const {
    state.target = target.estimate(Flow(trainable.createModel(state.average)), state.step);
    state.energyEvaluations += options.targetSamples;
    return state.target.reverseDivergence;
}
