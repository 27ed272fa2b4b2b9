#include "openmmflow/WeightedEnsemble.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "SpecialNumbers.h"
#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

/** The metadata that says what fraction of the energies was verified. */
static const char* const verified = "verified_energies";

WeightedEnsemble::WeightedEnsemble(int numParticles, double temperature, vector<double> positions,
                                   vector<double> logQ, vector<double> reducedPotentials)
    : numParticles(numParticles),
      temperature(temperature),
      logQ(std::move(logQ)),
      reducedPotentials(std::move(reducedPotentials)) {
    const size_t count = this->logQ.size();
    checkParticlesAndTemperature();
    if (this->reducedPotentials.size() != count)
        throw OpenMMException("An ensemble needs one reduced potential for each log q: there are "
                              + to_string(this->reducedPotentials.size()) + " and " + to_string(count) + ".");
    logWeights.resize(count);
    setPositions(std::move(positions));
    for (size_t i = 0; i < count; i++) {
        if (isnan(this->logQ[i]) || this->logQ[i] == -infinity)
            throw OpenMMException("Sample " + to_string(i)
                                  + " has log q = " + (isnan(this->logQ[i]) ? "NaN" : "-infinity")
                                  + ": it cannot have been drawn from the flow.");
        if (this->logQ[i] == infinity)
            this->reducedPotentials[i] = infinity;
        logWeights[i] =
            isfinite(this->reducedPotentials[i]) ? -this->reducedPotentials[i] - this->logQ[i] : -infinity;
        if (logWeights[i] == infinity)
            throw OpenMMException("Sample " + to_string(i)
                                  + " has an infinite weight: its reduced potential and its log q are "
                                    "no energies and densities of a molecule.");
    }
}

WeightedEnsemble WeightedEnsemble::fromLogWeights(int numParticles, double temperature,
                                                  vector<double> positions, vector<double> logWeights,
                                                  vector<double> reducedPotentials, long long blockSize) {
    WeightedEnsemble ensemble;
    ensemble.numParticles = numParticles;
    ensemble.temperature = temperature;
    ensemble.checkParticlesAndTemperature();
    const size_t count = logWeights.size();
    if (reducedPotentials.size() != count)
        throw OpenMMException("An ensemble needs one reduced potential for each log weight: there are "
                              + to_string(reducedPotentials.size()) + " and " + to_string(count) + ".");
    if (blockSize < 1 || count % blockSize != 0)
        throw OpenMMException("The " + to_string(count)
                              + " samples of an ensemble are no whole number of blocks of "
                              + to_string(blockSize) + ": give a block size that divides their number.");
    for (size_t i = 0; i < count; i++) {
        if (isnan(logWeights[i]) || logWeights[i] == infinity)
            throw OpenMMException("Sample " + to_string(i) + " has log weight "
                                  + (isnan(logWeights[i]) ? "NaN" : "infinity")
                                  + ": log weights must be numbers, or -infinity for weight zero.");
        if (logWeights[i] > -infinity && !isfinite(reducedPotentials[i]))
            throw OpenMMException("Sample " + to_string(i)
                                  + " has a positive weight and a reduced potential that "
                                  + "is not finite: give it the log weight -infinity.");
    }
    ensemble.logWeights = std::move(logWeights);
    ensemble.reducedPotentials = std::move(reducedPotentials);
    ensemble.withLogQ = false;
    ensemble.blockSize = blockSize;
    ensemble.setPositions(std::move(positions));
    return ensemble;
}

void WeightedEnsemble::checkParticlesAndTemperature() const {
    if (numParticles < 1)
        throw OpenMMException("The number of particles of an ensemble must be positive, not "
                              + to_string(numParticles) + ".");
    if (!(temperature > 0 && temperature < infinity))
        throw OpenMMException("The temperature of an ensemble must be positive, in K, not "
                              + to_string(temperature) + ".");
}

void WeightedEnsemble::setPositions(vector<double> positions) {
    const size_t expected = logWeights.size() * numParticles * 3;
    if (!positions.empty() && positions.size() != expected)
        throw OpenMMException("The positions of " + to_string(getNumSamples()) + " samples of "
                              + to_string(numParticles) + " particles are " + to_string(expected)
                              + " numbers, not " + to_string(positions.size()) + ".");
    this->positions = std::move(positions);
}

long long WeightedEnsemble::getNumOffSupport() const {
    const vector<double>& values = withLogQ ? logQ : reducedPotentials;
    return count(values.begin(), values.end(), infinity);
}

long long WeightedEnsemble::getNumNonFinite() const {
    const auto total =
        count_if(reducedPotentials.begin(), reducedPotentials.end(), [](double x) { return !isfinite(x); });
    return total - getNumOffSupport();
}

WeightedEnsemble WeightedEnsemble::slice(long long start, long long end) const {
    if (start < 0 || end < start || end > getNumSamples())
        throw OpenMMException("The samples " + to_string(start) + " to " + to_string(end)
                              + " are not a range within the ensemble's " + to_string(getNumSamples()) + ".");
    if (start % blockSize != 0 || end % blockSize != 0)
        throw OpenMMException("The samples come in blocks of " + to_string(blockSize)
                              + " that depend on each other: slice at multiples of that, not from "
                              + to_string(start) + " to " + to_string(end) + ".");
    WeightedEnsemble part = *this;
    auto keep = [&](vector<double>& values, long long size) {
        if (!values.empty())
            values = vector<double>(values.begin() + start * size, values.begin() + end * size);
    };
    keep(part.positions, 3LL * numParticles);
    keep(part.logQ, 1);
    keep(part.reducedPotentials, 1);
    keep(part.logWeights, 1);
    // Ranges follow the samples only where they account for all of them.
    part.ranges.clear();
    long long done = 0;
    for (const SampleRange& range : ranges) {
        const long long from = max(start, done), to = min(end, done + range.count);
        if (from < to)
            part.ranges.push_back({range.seed, range.first + (from - done), to - from});
        done += range.count;
    }
    if (done != getNumSamples())
        part.ranges.clear();
    return part;
}

static bool overlap(const WeightedEnsemble::SampleRange& a, const WeightedEnsemble::SampleRange& b) {
    if (a.seed != b.seed)
        return false;
    return a.first <= b.first ? b.first - a.first < (uint64_t)a.count : a.first - b.first < (uint64_t)b.count;
}

void WeightedEnsemble::addSampleRange(const SampleRange& range) {
    if (range.count < 0)
        throw OpenMMException("The number of samples in a range must not be negative.");
    if (range.count == 0)
        return;
    for (const SampleRange& other : ranges)
        if (overlap(range, other))
            throw OpenMMException(
                "Samples " + to_string(max(range.first, other.first)) + " and following of seed "
                + to_string(range.seed)
                + " are already in the ensemble: draw with another seed or a later first sample.");
    if (!ranges.empty() && ranges.back().seed == range.seed
        && ranges.back().first + (uint64_t)ranges.back().count == range.first)
        ranges.back().count += range.count;
    else
        ranges.push_back(range);
}

void WeightedEnsemble::requireSameKind(const WeightedEnsemble& other) const {
    if (numParticles != other.numParticles)
        throw OpenMMException("The ensembles have " + to_string(numParticles) + " and "
                              + to_string(other.numParticles)
                              + " particles: only ensembles of one System can be merged.");
    if (abs(temperature - other.temperature) > 1e-9 * temperature)
        throw OpenMMException("The ensembles have the temperatures " + to_string(temperature) + " and "
                              + to_string(other.temperature)
                              + " K: reweight one of them to the temperature of the other.");
    if (hasPositions() != other.hasPositions() && getNumSamples() > 0 && other.getNumSamples() > 0)
        throw OpenMMException("Only one of the ensembles holds positions: load both with them.");
    auto differs = [&](const char* key) {
        const auto mine = metadata.find(key), theirs = other.metadata.find(key);
        return mine != metadata.end() && theirs != other.metadata.end() && mine->second != theirs->second;
    };
    for (const char* key : {"flow", "system"})
        if (differs(key))
            throw OpenMMException(string("The ensembles were made with another ") + key + " ("
                                  + metadata.at(key) + " and " + other.metadata.at(key)
                                  + "): their weights cannot be compared.");
    if (metadata.count("resampled") != 0 || other.metadata.count("resampled") != 0)
        throw OpenMMException(
            "A resampled ensemble cannot be merged: merge the ensembles before resampling.");
    if (withLogQ != other.withLogQ)
        throw OpenMMException(
            "Only one of the ensembles is annealed: average their estimates, since the weights "
            "of the two spread differently.");
    if (blockSize != other.blockSize)
        throw OpenMMException("The samples come in blocks of " + to_string(blockSize) + " and "
                              + to_string(other.blockSize) + ": anneal both with islands of one size.");
    if (differs("annealing") || differs("resampling_threshold"))
        throw OpenMMException(
            "The ensembles were annealed with different schedules or thresholds of resampling: pass those of "
            "one "
            "to the other.");
}

/** Join lists whose entries are separated by "; ", each entry once. */
static string joinLists(string list, const string& more) {
    const string separator = "; ";
    for (size_t start = 0, end = 0; end != string::npos; start = end + separator.size()) {
        end = more.find(separator, start);
        const string entry = more.substr(start, end - start);
        if ((separator + list + separator).find(separator + entry + separator) == string::npos)
            list += (list.empty() ? "" : separator) + entry;
    }
    return list;
}

void WeightedEnsemble::append(const WeightedEnsemble& other) {
    if (other.numParticles == 0)
        return;
    if (numParticles == 0) {
        *this = other;
        return;
    }
    requireSameKind(other);
    WeightedEnsemble merged;
    merged.ranges = ranges;
    for (const SampleRange& range : other.ranges)
        merged.addSampleRange(range);
    ranges = merged.ranges;
    map<string, string> theirs = other.metadata;
    if (metadata.count(verified) != theirs.count(verified)) {
        metadata.emplace(verified, "0");
        theirs.emplace(verified, "0");
    }
    for (const auto& [key, value] : theirs)
        metadata[key] = joinLists(metadata[key], value);
    auto extend = [](vector<double>& values, const vector<double>& more) {
        const size_t size = values.size(), added = more.size();
        values.resize(size + added);
        copy_n(more.begin(), added, values.begin() + size);
    };
    extend(positions, other.positions);
    extend(logQ, other.logQ);
    extend(reducedPotentials, other.reducedPotentials);
    extend(logWeights, other.logWeights);
}

}  // namespace OpenMMFlow
