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
                                                          const std::vector<double>& coordinates) const {
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

double CoordinateAnnealing::move(const at::Tensor& parameters, const IntermediateTarget& density,
                                 double stepSize, const std::vector<uint64_t>& keys, int number,
                                 Points& points) const {
    const size_t D = trainable.getNumCoordinates(), count = points.size();
    std::vector<double> momenta(count * D), before(count);
    std::vector<char> isMoving(count);
    Points ends = points;
    auto getLogWeight = [&](size_t k) {
        double square = 0;
        for (size_t j = k * D; j < (k + 1) * D; j++)
            square += momenta[j] * momenta[j];
        return ends.getLogDensity(density, k) - 0.5 * square;
    };
    auto kick = [&](size_t k, double time) {
        for (size_t j = k * D; j < (k + 1) * D; j++)
            momenta[j] += time * ends.getSlope(density, j);
    };
    for (size_t k = 0; k < count; k++) {
        drawNormals(keys[k], number, NoiseStream::HamiltonianMomenta, (int)D, &momenta[k * D]);
        before[k] = getLogWeight(k);
        isMoving[k] = points.isAllowed(k);
    }
    const auto numAllowed = std::count(isMoving.begin(), isMoving.end(), true);
    for (int step = 0; step < settings.leapfrogSteps; step++) {
        std::vector<double> coordinates = ends.flow.coordinates;
        for (size_t k = 0; k < count; k++)
            if (isMoving[k]) {
                // Two half steps of the momenta at a time, but for the first and the last.
                kick(k, (step == 0 ? 0.5 : 1) * stepSize);
                for (size_t j = k * D; j < (k + 1) * D; j++)
                    coordinates[j] += stepSize * momenta[j];
            }
        ends = evaluate(parameters, coordinates);
        for (size_t k = 0; k < count; k++)
            isMoving[k] = isMoving[k] && ends.isAllowed(k);
    }
    double sum = 0;
    for (size_t k = 0; k < count; k++) {
        if (!isMoving[k])
            continue;
        kick(k, 0.5 * stepSize);
        const double gain = getLogWeight(k) - before[k];
        // The round-off of an enormous energy can make even this not a number.
        const double probability = std::isnan(gain) ? 0 : std::min(1.0, std::exp(gain));
        sum += probability;
        if (shared::uniformPair(keys[k], number, NoiseStream::HamiltonianMetropolis, 0).first < probability)
            points.replace(k, ends);
    }
    const double all = group.sum((double)numAllowed), accepted = group.sum(sum);
    return all > 0 ? accepted / all : settings.acceptance;
}

CoordinateAnnealing::Samples CoordinateAnnealing::run(const at::Tensor& parameters,
                                                      const IntermediateTarget& target, long long count,
                                                      uint64_t seed, uint64_t first,
                                                      std::vector<double>& stepSizes) const {
    const int numSteps = settings.numDensities + 1;
    const ProcessGroup::Share share = group.getShare(count);
    first += share.first;
    Points points =
        evaluate(parameters, trainable.samplePaths(parameters, share.count, seed, first).coordinates);
    std::vector<uint64_t> keys;
    for (int64_t k = 0; k < share.count; k++)
        keys.push_back(makeReplicaKey(seed, first + k, NoiseStream::HamiltonianMomenta));
    std::vector<double> logWeights(share.count);
    auto addWork = [&] {
        for (size_t k = 0; k < points.size(); k++)
            logWeights[k] +=
                points.isAllowed(k)
                    ? (target.getLogDensity(points.flow.logQ[k], points.logP[k]) - points.flow.logQ[k])
                          / numSteps
                    : -std::numeric_limits<double>::infinity();
    };
    addWork();
    for (int m = 1; m < numSteps; m++) {
        const double beta = (double)m / numSteps;
        double& stepSize = stepSizes[m - 1];
        const double acceptance =
            move(parameters, {std::lerp(1.0, target.flowExponent, beta), beta * target.targetExponent},
                 stepSize, keys, m, points);
        stepSize *= std::exp(adaptationRate * (acceptance - settings.acceptance));
        addWork();
    }
    return {group.gather(points.flow.coordinates).values, group.gather(points.flow.logQ).values,
            group.gather(logWeights).values};
}
