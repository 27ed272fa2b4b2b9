#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "openmm/OpenMMException.h"
#include "openmmflow/WeightedEnsemble.h"
#include "openmmflow/internal/ParetoSmoothing.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

const double infinity = numeric_limits<double>::infinity();
const double notANumber = numeric_limits<double>::quiet_NaN();

/** Weights relative to the largest one, so that nothing overflows. They are all zero if there is no positive
 * weight. */
struct ScaledWeights {
    explicit ScaledWeights(const vector<double>& logWeights) : values(logWeights.size(), 0.0) {
        for (double logWeight : logWeights)
            logScale = max(logScale, logWeight);
        if (logScale == -infinity)
            return;
        for (size_t i = 0; i < values.size(); i++) {
            values[i] = exp(logWeights[i] - logScale);
            sum += values[i];
        }
    }
    vector<double> values;
    double logScale = -infinity, sum = 0;
};

/** The log of the summed weights of a region. */
double logSum(const vector<double>& logWeights, const vector<bool>& inRegion) {
    double largest = -infinity, sum = 0;
    for (size_t i = 0; i < logWeights.size(); i++)
        if (inRegion[i])
            largest = max(largest, logWeights[i]);
    if (largest == -infinity)
        return -infinity;
    for (size_t i = 0; i < logWeights.size(); i++)
        if (inRegion[i])
            sum += exp(logWeights[i] - largest);
    return largest + log(sum);
}

/**
 * The standard error of a function of sums over independent samples, by the delta method: each sample
 * contributes its influence, and the influences add up to zero.
 */
double deltaMethodError(double sumOfSquaredInfluences, size_t count) {
    return sqrt(sumOfSquaredInfluences * count / (count - 1.0));
}

void requireOnePerSample(size_t size, size_t count, const string& what) {
    if (size != count)
        throw OpenMMException("The ensemble has " + to_string(count) + " samples, so it needs as many " + what
                              + ", not " + to_string(size) + ".");
}

}  // namespace

double WeightedEnsemble::getEffectiveSampleSize() const {
    const ScaledWeights weights(logWeights);
    double sumOfSquares = 0;
    for (double w : weights.values)
        sumOfSquares += w * w;
    return sumOfSquares == 0 ? 0 : weights.sum * weights.sum / sumOfSquares;
}

double WeightedEnsemble::getEffectiveSampleFraction() const {
    return logWeights.empty() ? 0 : getEffectiveSampleSize() / logWeights.size();
}

double WeightedEnsemble::getParetoK() const {
    return fitParetoShape(logWeights);
}

WeightedEnsemble::Estimate WeightedEnsemble::getLogPartitionFunction() const {
    const ScaledWeights weights(logWeights);
    if (weights.sum == 0)
        return {logWeights.empty() ? notANumber : -infinity, notANumber};
    const size_t count = weights.values.size();
    double sumOfSquares = 0;
    for (double w : weights.values)
        sumOfSquares += pow(w / weights.sum - 1.0 / count, 2);
    return {weights.logScale + log(weights.sum / count), deltaMethodError(sumOfSquares, count)};
}

double WeightedEnsemble::getAcceptance() const {
    ScaledWeights weights(logWeights);
    const size_t count = weights.values.size();
    if (weights.sum == 0 || count < 2)
        return notANumber;
    // Over all pairs of different samples, w_old min(1, w_new/w_old) = min(w_old, w_new): in ascending order,
    // each weight is the smaller one of the pairs that it forms with all that follow.
    sort(weights.values.begin(), weights.values.end());
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += weights.values[i] * (count - 1 - i);
    return 2 * sum / (weights.sum * (count - 1));
}

WeightedEnsemble::Estimate WeightedEnsemble::computeExpectation(const vector<double>& values) const {
    requireOnePerSample(values.size(), logWeights.size(), "values");
    const ScaledWeights weights(logWeights);
    double average = 0, sumOfSquares = 0;
    for (size_t i = 0; i < values.size(); i++)
        if (weights.values[i] > 0)
            average += weights.values[i] / weights.sum * values[i];
    for (size_t i = 0; i < values.size(); i++)
        if (weights.values[i] > 0)
            sumOfSquares += pow(weights.values[i] / weights.sum * (values[i] - average), 2);
    if (weights.sum == 0)
        return {notANumber, notANumber};
    // A single sample says nothing of its spread.
    if (count_if(weights.values.begin(), weights.values.end(), [](double w) { return w > 0; }) < 2)
        return {average, notANumber};
    return {average, deltaMethodError(sumOfSquares, values.size())};
}

WeightedEnsemble::Estimate WeightedEnsemble::computeFreeEnergyDifference(const vector<bool>& inA,
                                                                         const vector<bool>& inB) const {
    requireOnePerSample(inA.size(), logWeights.size(), "entries that say what lies in region a");
    requireOnePerSample(inB.size(), logWeights.size(), "entries that say what lies in region b");
    const double logA = logSum(logWeights, inA), logB = logSum(logWeights, inB);
    if (logA == -infinity || logB == -infinity)
        return {logA - logB, notANumber};
    double sumOfSquares = 0;
    for (size_t i = 0; i < logWeights.size(); i++) {
        const double influence =
            (inA[i] ? exp(logWeights[i] - logA) : 0) - (inB[i] ? exp(logWeights[i] - logB) : 0);
        sumOfSquares += influence * influence;
    }
    return {logA - logB, deltaMethodError(sumOfSquares, logWeights.size())};
}

WeightedEnsemble WeightedEnsemble::resample(long long count, uint64_t seed) const {
    if (count < 0)
        throw OpenMMException("The number of configurations to draw must not be negative.");
    const ScaledWeights weights(logWeights);
    if (weights.sum == 0)
        throw OpenMMException("There is nothing to resample: the ensemble has no sample of positive weight.");
    WeightedEnsemble drawn;
    drawn.numParticles = numParticles;
    drawn.temperature = temperature;
    drawn.metadata = metadata;
    drawn.metadata["resampled"] = "from " + to_string(getNumSamples()) + " weighted samples";
    drawn.logWeights.assign(count, 0.0);
    const double offset = (mt19937_64(seed)() >> 11) * 0x1p-53;
    const long long size = 3LL * numParticles;
    long long chosen = -1, next = 0;
    double cumulative = 0;
    for (long long k = 0; k < count; k++) {
        const double target = (k + offset) / count * weights.sum;
        // Round-off in the sum must not lead past the last sample of positive weight.
        for (; (cumulative <= target || chosen < 0) && next < getNumSamples(); next++)
            if (weights.values[next] > 0) {
                cumulative += weights.values[next];
                chosen = next;
            }
        drawn.reducedPotentials.push_back(reducedPotentials[chosen]);
        drawn.logQ.push_back(-reducedPotentials[chosen]);
        if (!positions.empty())
            drawn.positions.insert(drawn.positions.end(), &positions[chosen * size],
                                   &positions[chosen * size] + size);
    }
    return drawn;
}

}  // namespace OpenMMFlow
