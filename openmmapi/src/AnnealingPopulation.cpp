#include "AnnealingPopulation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ReplicaNoise.h"
#include "ScaledWeights.h"

using namespace std;

namespace OpenMMFlow {

AnnealingPopulation::AnnealingPopulation(AnnealingPath& path, uint64_t seed, uint64_t first, long long count,
                                         long long islandSize)
    : path(path), islandSize(islandSize), states(path.draw(count, seed, first)) {
    for (long long k = 0; k < count; k++) {
        keys.push_back(makeReplicaKey(seed, first + k));
        logWeights.push_back(states.isAllowed(k) ? 0 : -numeric_limits<double>::infinity());
    }
}

double AnnealingPopulation::getWork(long long k, double nextBeta) const {
    return (nextBeta - beta) * (-states.reducedPotentials[k] - states.logQ[k]);
}

void AnnealingPopulation::reweight(double nextBeta) {
    for (long long k = 0; k < states.getCount(); k++)
        if (states.isAllowed(k))
            logWeights[k] += getWork(k, nextBeta);
    beta = nextBeta;
}

void AnnealingPopulation::resample(double threshold) {
    for (long long start = 0; start < states.getCount(); start += islandSize) {
        const ScaledWeights weights(&logWeights[start], islandSize);
        if (weights.sum == 0 || weights.getEffectiveSize() >= threshold * islandSize)
            continue;
        const double offset =
            shared::uniformPair(keys[start], numResamplings, shared::NoiseStream::AnnealingResampling, 0)
                .first;
        const vector<long long> chosen = weights.resample(islandSize, offset);
        const AnnealingStates old = states.slice(start, islandSize);
        for (long long i = 0; i < islandSize; i++)
            states.replace(start + i, old, chosen[i]);
        fill_n(logWeights.begin() + start, islandSize, weights.getLogAverage());
    }
    numResamplings++;
}

MoveCounts AnnealingPopulation::move(double stepSize, double jitter, int leapfrogSteps) {
    return AnnealingMove{beta, stepSize, jitter, leapfrogSteps}.apply(path, states, keys, numMoves++);
}

double AnnealingPopulation::getConditionalEss(double nextBeta) const {
    // The product of the weights so far, W, and those of the step, w: (sum W w)^2 / (sum W sum W w^2).
    vector<double> first = logWeights, second = logWeights;
    for (long long k = 0; k < states.getCount(); k++)
        if (states.isAllowed(k)) {
            first[k] += getWork(k, nextBeta);
            second[k] += 2 * getWork(k, nextBeta);
        }
    return exp(2 * ScaledWeights(first).getLogAverage() - ScaledWeights(logWeights).getLogAverage()
               - ScaledWeights(second).getLogAverage());
}

vector<double> AnnealingPopulation::getReducedPotentials() const {
    vector<double> result = states.reducedPotentials;
    for (long long k = 0; k < states.getCount(); k++)
        if (!isfinite(states.logQ[k]))
            result[k] = numeric_limits<double>::infinity();
        else if (!isfinite(result[k]))
            result[k] = numeric_limits<double>::quiet_NaN();
    return result;
}

}  // namespace OpenMMFlow
