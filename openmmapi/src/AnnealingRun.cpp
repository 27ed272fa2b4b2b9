#include "AnnealingRun.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "AnnealingPilot.h"
#include "AnnealingPopulation.h"

using namespace std;

namespace OpenMMFlow {

namespace {

/** Samples that are annealed together: enough to keep all lanes of many threads busy. */
const long long ANNEALED_BLOCK = 1024;

/** The longest text that describeMoves() returns. */
const size_t LONGEST_DESCRIPTION = 200;

/** Bring a population to the target, unless it is stopped after a step. Returns whether it got there. */
bool follow(AnnealingPopulation& population, const AnnealingSchedule& schedule, double threshold,
            MoveCounts& counts, const function<bool(long long steps)>& proceed) {
    const size_t numSteps = schedule.stepSizes.size();
    for (size_t i = 0; i < numSteps; i++) {
        population.reweight(schedule.betas[i + 1]);
        population.resample(threshold);
        for (int j = 0; j < schedule.movesPerBeta; j++)
            counts += population.move(schedule.stepSizes[i], schedule.stepSizeJitter, schedule.leapfrogSteps);
        const bool isLast = i + 1 == numSteps;
        if (!isLast && !proceed(i + 1))
            return false;
    }
    return true;
}

string describeMoves(const MoveCounts& counts) {
    stringstream text;
    text.precision(3);
    text << 100.0 * counts.accepted / max(1LL, counts.proposed) << " % of " << counts.proposed
         << " accepted; rejected off the support " << counts.offSupport << ", without a finite energy "
         << counts.notFinite;
    return text.str();
}

void append(vector<double>& values, const vector<double>& more) {
    values.insert(values.end(), more.begin(), more.end());
}

}  // namespace

AnnealingRun::AnnealingRun(const AnnealingPath& path, const AnnealingOptions& options,
                           const WeightedEnsemble::SampleRange& range, const FlowSampler::Progress& progress)
    : path(path),
      islandSize(options.islandSize),
      resamplingThreshold(options.resamplingThreshold),
      range(range),
      progress(progress),
      schedule(options.schedule ? *options.schedule : planAnnealing(this->path, options, [&](long long) {
          return !progress || progress(0, range.count);
      })) {}

WeightedEnsemble AnnealingRun::makeEnsemble(vector<double> logWeights,
                                            vector<double> reducedPotentials) const {
    const long long done = (long long)logWeights.size();
    WeightedEnsemble ensemble =
        WeightedEnsemble::fromLogWeights(path.getNumParticles(), path.getTemperature(), {},
                                         std::move(logWeights), std::move(reducedPotentials), islandSize);
    ensemble.addSampleRange({range.seed, range.first, done});
    // A pilot run that was stopped left nothing to go on with.
    if (schedule.betas.back() == 1)
        ensemble.setMetadata("annealing", schedule.toJson());
    if (islandSize > 1)
        ensemble.setMetadata("resampling_threshold", nlohmann::json(resamplingThreshold).dump());
    return ensemble;
}

WeightedEnsemble AnnealingRun::describe() const {
    WeightedEnsemble ensemble = makeEnsemble({}, {});
    ensemble.addSampleRange(range);
    ensemble.setMetadata("moves", string(LONGEST_DESCRIPTION, ' '));
    return ensemble;
}

WeightedEnsemble AnnealingRun::run(const function<void(const vector<double>&)>& keep) {
    const long long block = max(1LL, ANNEALED_BLOCK / islandSize) * islandSize;
    vector<double> logWeights, reducedPotentials;
    MoveCounts counts;
    auto getDone = [&] { return (long long)logWeights.size(); };
    auto proceed = [&](double onTheWay) {
        return !progress || progress(getDone() + (long long)onTheWay, range.count);
    };
    bool isGoing = schedule.betas.back() == 1;
    while (isGoing && getDone() < range.count) {
        const long long size = min(block, range.count - getDone());
        AnnealingPopulation population(path, range.seed, range.first + getDone(), size, islandSize);
        MoveCounts blockCounts;
        isGoing = follow(population, schedule, resamplingThreshold, blockCounts, [&](long long steps) {
            return proceed((double)size * steps / schedule.stepSizes.size());
        });
        if (!isGoing)
            break;
        counts += blockCounts;
        keep(population.getPositions());
        append(logWeights, population.getLogWeights());
        append(reducedPotentials, population.getReducedPotentials());
        isGoing = proceed(0);
    }
    WeightedEnsemble ensemble = makeEnsemble(std::move(logWeights), std::move(reducedPotentials));
    ensemble.setMetadata("moves", describeMoves(counts));
    return ensemble;
}

}  // namespace OpenMMFlow
