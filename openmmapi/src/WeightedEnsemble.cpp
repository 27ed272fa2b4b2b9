#include "openmmflow/WeightedEnsemble.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

WeightedEnsemble::WeightedEnsemble(int numParticles, double temperature, vector<double> positions,
                                   vector<double> logQ, vector<double> reducedPotentials)
    : numParticles(numParticles),
      temperature(temperature),
      logQ(std::move(logQ)),
      reducedPotentials(std::move(reducedPotentials)) {
    const double infinity = numeric_limits<double>::infinity();
    const size_t count = this->logQ.size();
    if (numParticles < 1)
        throw OpenMMException("The number of particles of an ensemble must be positive, not "
                              + to_string(numParticles) + ".");
    if (!(temperature > 0 && temperature < infinity))
        throw OpenMMException("The temperature of an ensemble must be positive, in K, not "
                              + to_string(temperature) + ".");
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

void WeightedEnsemble::setPositions(vector<double> positions) {
    const size_t expected = logWeights.size() * numParticles * 3;
    if (!positions.empty() && positions.size() != expected)
        throw OpenMMException("The positions of " + to_string(getNumSamples()) + " samples of "
                              + to_string(numParticles) + " particles are " + to_string(expected)
                              + " numbers, not " + to_string(positions.size()) + ".");
    this->positions = std::move(positions);
}

long long WeightedEnsemble::getNumOffSupport() const {
    return count_if(logQ.begin(), logQ.end(), [](double x) { return !isfinite(x); });
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
    ranges.push_back(range);
}

void WeightedEnsemble::append(const WeightedEnsemble& other) {
    if (other.numParticles == 0)
        return;
    if (numParticles == 0) {
        *this = other;
        return;
    }
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
    for (const char* key : {"flow", "system"}) {
        const auto mine = as_const(metadata).find(key), theirs = other.metadata.find(key);
        if (mine != metadata.end() && theirs != other.metadata.end() && mine->second != theirs->second)
            throw OpenMMException(string("The ensembles were made with another ") + key + " (" + mine->second
                                  + " and " + theirs->second + "): their weights cannot be compared.");
    }
    if (metadata.count("resampled") != 0 || other.metadata.count("resampled") != 0)
        throw OpenMMException(
            "A resampled ensemble cannot be merged: merge the ensembles before resampling.");
    WeightedEnsemble merged;
    merged.ranges = ranges;
    for (const SampleRange& range : other.ranges)
        merged.addSampleRange(range);
    ranges = merged.ranges;
    for (const auto& [key, value] : other.metadata) {
        string& mine = metadata[key];
        if (mine.empty())
            mine = value;
        else if (mine.find(value) == string::npos)
            mine += "; " + value;
    }
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

static string format(const char* pattern, double a, double b = 0) {
    char text[200];
    snprintf(text, sizeof(text), pattern, a, b);
    return text;
}

string WeightedEnsemble::toString() const {
    const long long count = getNumSamples(), offSupport = getNumOffSupport(), nonFinite = getNumNonFinite();
    string text = to_string(count) + " samples of " + to_string(numParticles) + " particles at "
                  + format("%g K\n", temperature);
    const auto flowTemperature = metadata.find("flow_temperature");
    if (flowTemperature != metadata.end())
        text += "  the flow was made for " + flowTemperature->second + " K\n";
    if (count == 0)
        return text;
    const auto resampled = metadata.find("resampled");
    if (resampled != metadata.end())
        return text + "  resampled " + resampled->second
               + ": all weights are equal. Take errors from the weighted ensemble, since configurations repeat.\n";
    text += "  weight zero         " + to_string(offSupport + nonFinite) + " (" + to_string(offSupport)
            + " off the flow's support, " + to_string(nonFinite) + " with an energy that is not finite)\n";
    if (offSupport + nonFinite == count)
        return text
               + "Warning: all weights are zero: the flow does not propose anything that the System "
                 "allows.\n";
    const double k = getParetoK();
    const Estimate logZ = getLogPartitionFunction();
    text += format("  effective samples   %.1f (%.2f %%)\n", getEffectiveSampleSize(),
                   100 * getEffectiveSampleFraction())
            + format("  Pareto k            %.2f\n", k)
            + format("  log Z               %.4f +- %.4f\n", logZ.value, logZ.error)
            + format("  acceptance          %.3f (of Metropolis moves that propose from this flow)\n",
                     getAcceptance());
    if (k == numeric_limits<double>::infinity())
        text += "Warning: there are too few different weights to judge their tail: draw more samples.\n";
    else if (k > 0.7)
        text +=
            "Warning: Pareto k is above 0.7, so averages and their errors are not reliable: train the flow "
            "further.\n";
    if (getEffectiveSampleSize() < 100)
        text += "Warning: there are fewer than 100 effective samples: errors are themselves uncertain.\n";
    if (nonFinite > 0)
        text +=
            "Warning: energies that are not finite count as weight zero: look at those samples if they are "
            "many.\n";
    return text
           + "Effective samples and Pareto k cannot see a mode that the flow never proposes: compare with reference data.\n";
}

}  // namespace OpenMMFlow
