#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "ReservePositions.h"
#include "ScaledWeights.h"
#include "SpecialNumbers.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/WeightedEnsemble.h"
#include "openmmflow/internal/ParetoSmoothing.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

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
 * The standard error of a function of sums over independent blocks of samples, by the delta method. Each
 * sample has an influence, which all together add up to zero, and each block that of its samples.
 */
double deltaMethodError(const vector<double>& influences, long long blockSize) {
    const double count = (double)(influences.size() / blockSize);
    if (count < 2)
        return notANumber;
    double sumOfSquares = 0;
    for (size_t start = 0; start < influences.size(); start += blockSize) {
        const auto block = influences.begin() + start;
        sumOfSquares += pow(accumulate(block, block + blockSize, 0.0), 2);
    }
    return sqrt(sumOfSquares * count / (count - 1));
}

void requireOnePerSample(size_t size, size_t count, const string& what) {
    if (size != count)
        throw OpenMMException("The ensemble has " + to_string(count) + " samples, so it needs as many " + what
                              + ", not " + to_string(size) + ".");
}

}  // namespace

double WeightedEnsemble::getEffectiveSampleSize() const {
    return ScaledWeights(logWeights).getEffectiveSize();
}

double WeightedEnsemble::getEffectiveSampleFraction() const {
    return logWeights.empty() ? 0 : getEffectiveSampleSize() / logWeights.size();
}

vector<double> WeightedEnsemble::getLogBlockWeights() const {
    if (blockSize == 1)
        return logWeights;
    vector<double> averages;
    for (size_t start = 0; start < logWeights.size(); start += blockSize)
        averages.push_back(ScaledWeights(&logWeights[start], blockSize).getLogAverage());
    return averages;
}

double WeightedEnsemble::getNumEffectiveBlocks() const {
    return ScaledWeights(getLogBlockWeights()).getEffectiveSize();
}

double WeightedEnsemble::getParetoK() const {
    return fitParetoShape(getLogBlockWeights());
}

WeightedEnsemble::Estimate WeightedEnsemble::getLogPartitionFunction() const {
    const ScaledWeights weights(logWeights);
    if (weights.sum == 0)
        return {logWeights.empty() ? notANumber : -infinity, notANumber};
    vector<double> influences;
    for (double w : weights.values)
        influences.push_back(w / weights.sum - 1.0 / logWeights.size());
    return {weights.getLogAverage(), deltaMethodError(influences, blockSize)};
}

double WeightedEnsemble::getAcceptance() const {
    ScaledWeights weights(logWeights);
    const size_t count = weights.values.size();
    if (weights.sum == 0 || count < 2 || !withLogQ)
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
    if (weights.sum == 0)
        return {notANumber, notANumber};
    double average = 0;
    for (size_t i = 0; i < values.size(); i++)
        if (weights.values[i] > 0)
            average += weights.values[i] / weights.sum * values[i];
    vector<double> influences(values.size(), 0.0);
    for (size_t i = 0; i < values.size(); i++)
        if (weights.values[i] > 0)
            influences[i] = weights.values[i] / weights.sum * (values[i] - average);
    // A single one says nothing of its spread.
    const vector<double> blocks = getLogBlockWeights();
    const bool hasSpread = count_if(blocks.begin(), blocks.end(), [](double w) { return w > -infinity; }) > 1;
    return {average, hasSpread ? deltaMethodError(influences, blockSize) : notANumber};
}

WeightedEnsemble::Estimate WeightedEnsemble::computeFreeEnergyDifference(const vector<bool>& inA,
                                                                         const vector<bool>& inB) const {
    requireOnePerSample(inA.size(), logWeights.size(), "entries that say what lies in region a");
    requireOnePerSample(inB.size(), logWeights.size(), "entries that say what lies in region b");
    const double logA = logSum(logWeights, inA), logB = logSum(logWeights, inB);
    if (logA == -infinity || logB == -infinity)
        return {logA - logB, notANumber};
    vector<double> influences;
    for (size_t i = 0; i < logWeights.size(); i++)
        influences.push_back((inA[i] ? exp(logWeights[i] - logA) : 0)
                             - (inB[i] ? exp(logWeights[i] - logB) : 0));
    return {logA - logB, deltaMethodError(influences, blockSize)};
}

WeightedEnsemble WeightedEnsemble::resample(long long count, uint64_t seed) const {
    if (count < 0)
        throw OpenMMException("The number of configurations to draw must not be negative.");
    const ScaledWeights weights(logWeights);
    if (weights.sum == 0)
        throw OpenMMException("There is nothing to resample: the ensemble has no sample of positive weight.");
    // Without positions, the other numbers of a sample take as much as those of one particle.
    vector<double> drawnPositions =
        reservePositions(count, positions.empty() ? 1 : numParticles, "a smaller number");
    vector<double> drawnPotentials;
    const double offset = (mt19937_64(seed)() >> 11) * 0x1p-53;
    const long long size = 3LL * numParticles;
    for (long long chosen : weights.resample(count, offset)) {
        drawnPotentials.push_back(reducedPotentials[chosen]);
        if (!positions.empty())
            drawnPositions.insert(drawnPositions.end(), &positions[chosen * size],
                                  &positions[chosen * size] + size);
    }
    // Copies depend on each other, so that all of them are one block.
    WeightedEnsemble drawn = fromLogWeights(numParticles, temperature, std::move(drawnPositions),
                                            vector<double>(count, weights.getLogAverage()),
                                            std::move(drawnPotentials), max(count, 1LL));
    drawn.metadata = metadata;
    drawn.metadata["resampled"] = "from " + to_string(getNumSamples()) + " weighted samples";
    return drawn;
}

}  // namespace OpenMMFlow
