#include "CoordinateAnnealing.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "EnergyPaths.h"
#include "ReplicaNoise.h"

using namespace OpenMMFlow;
using shared::NoiseStream;

namespace {

/** How fast step sizes follow the acceptance, per move. */
const double adaptationRate = 0.5;

}  // namespace

/** Where samples are, and the parts of their log densities with gradients by the coordinates. */
struct CoordinateAnnealing::Points {
    PathSamples flow;
    /** Of log p = -U/kT and of log |dx/dc|. */
    std::vector<double> logP, logPGradient, logVolume, logVolumeGradient;

    size_t size() const { return logP.size(); }
    bool isAllowed(size_t k) const { return std::isfinite(flow.logQ[k]) && std::isfinite(logP[k]); }
    double getLogDensity(const IntermediateTarget& density, size_t k) const {
        return density.getLogDensity(flow.logQ[k], logP[k]) + logVolume[k];
    }
    double getSlope(const IntermediateTarget& density, size_t i) const {
        return density.getLogDensity(flow.gradient[i], logPGradient[i]) + logVolumeGradient[i];
    }
    /** Put one of the points in the place of one of these. */
    void replace(size_t k, const Points& other) {
        const size_t D = flow.coordinates.size() / size();
        for (auto [mine, its] : {std::pair{&flow.coordinates, &other.flow.coordinates},
                                 {&flow.gradient, &other.flow.gradient},
                                 {&logPGradient, &other.logPGradient},
                                 {&logVolumeGradient, &other.logVolumeGradient}})
            std::copy_n(its->begin() + k * D, D, mine->begin() + k * D);
        flow.logQ[k] = other.flow.logQ[k];
        logP[k] = other.logP[k];
        logVolume[k] = other.logVolume[k];
    }
};

CoordinateAnnealing::Points CoordinateAnnealing::evaluate(const at::Tensor& parameters,
                                                          std::vector<double> coordinates) const {
    Points points{trainable.evaluatePaths(parameters, coordinates), {}, {}, {}, {}};
    EnergyPaths energies = EnergyPaths::compute(trainable, points.flow.positions, potential);
    const size_t D = trainable.getNumCoordinates();
    points.logVolumeGradient.resize(coordinates.size());
    for (size_t k = 0; k < energies.energies.size(); k++) {
        points.logP.push_back(-energies.energies[k] / kT);
        points.logVolume.push_back(
            trainable.computeLogVolume(&coordinates[k * D], &points.logVolumeGradient[k * D]));
    }
    points.logPGradient = std::move(energies.gradient);
    for (double& slope : points.logPGradient)
        slope /= -kT;
    return points;
}

CoordinateAnnealing::Samples CoordinateAnnealing::run(const at::Tensor& parameters,
                                                      const IntermediateTarget& target, long long count,
                                                      uint64_t seed, uint64_t first,
                                                      std::vector<double>& stepSizes) const {
    const size_t D = trainable.getNumCoordinates(), size = (size_t)count;
    Points points = evaluate(parameters, trainable.samplePaths(parameters, count, seed, first).coordinates);
    std::vector<double> logWeights(size), momenta(size * D), kinetic(size);
    std::vector<uint64_t> keys;
    std::vector<char> isMoving(size);
    for (size_t k = 0; k < size; k++)
        keys.push_back(makeReplicaKey(seed, first + k, NoiseStream::HamiltonianMomenta));
    auto addWork = [&] {
        for (size_t k = 0; k < size; k++)
            logWeights[k] +=
                points.isAllowed(k)
                    ? (target.getLogDensity(points.flow.logQ[k], points.logP[k]) - points.flow.logQ[k])
                          / (settings.numDensities + 1)
                    : -std::numeric_limits<double>::infinity();
    };
    auto getKinetic = [&](size_t k) {
        double square = 0;
        for (size_t j = 0; j < D; j++)
            square += momenta[k * D + j] * momenta[k * D + j];
        return 0.5 * square;
    };
    addWork();
    for (int m = 1; m <= settings.numDensities; m++) {
        const double beta = (double)m / (settings.numDensities + 1), stepSize = stepSizes[m - 1];
        const IntermediateTarget density{std::lerp(1.0, target.flowExponent, beta),
                                         beta * target.targetExponent};
        for (size_t k = 0; k < size; k++) {
            drawNormals(keys[k], m, NoiseStream::HamiltonianMomenta, (int)D, &momenta[k * D]);
            kinetic[k] = getKinetic(k);
            isMoving[k] = points.isAllowed(k);
        }
        Points ends = points;
        auto kick = [&](size_t k, double time) {
            for (size_t j = k * D; j < (k + 1) * D; j++)
                momenta[j] += time * ends.getSlope(density, j);
        };
        for (int step = 0; step < settings.leapfrogSteps; step++) {
            std::vector<double> coordinates = ends.flow.coordinates;
            for (size_t k = 0; k < size; k++)
                if (isMoving[k]) {
                    // Two half steps of the momenta at a time, but for the first and the last.
                    kick(k, (step == 0 ? 0.5 : 1) * stepSize);
                    for (size_t j = k * D; j < (k + 1) * D; j++)
                        coordinates[j] += stepSize * momenta[j];
                }
            ends = evaluate(parameters, coordinates);
            for (size_t k = 0; k < size; k++)
                isMoving[k] = isMoving[k] && ends.isAllowed(k);
        }
        double sum = 0;
        size_t numAllowed = 0;
        for (size_t k = 0; k < size; k++) {
            if (!points.isAllowed(k))
                continue;
            numAllowed++;
            if (!isMoving[k])
                continue;
            kick(k, 0.5 * stepSize);
            const double error = ends.getLogDensity(density, k) - getKinetic(k)
                                 - points.getLogDensity(density, k) + kinetic[k];
            // The round-off of an enormous energy can make even this not a number.
            const double probability = std::isnan(error) ? 0 : std::min(1.0, std::exp(error));
            sum += probability;
            if (shared::uniformPair(keys[k], m, NoiseStream::HamiltonianMetropolis, 0).first < probability)
                points.replace(k, ends);
        }
        if (numAllowed > 0)
            stepSizes[m - 1] *= std::exp(adaptationRate * (sum / (double)numAllowed - settings.acceptance));
        addWork();
    }
    return {points.flow.coordinates, points.flow.logQ, logWeights};
}
