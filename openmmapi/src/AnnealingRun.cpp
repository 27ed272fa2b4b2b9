#include "AnnealingRun.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "AnnealingPilot.h"
#include "AnnealingPopulation.h"

using namespace std;

namespace OpenMMFlow {

namespace {

/** Samples that are annealed together: enough to keep all lanes of many threads busy. */
const long long BLOCK = 1024;

/** Bring a population to the target, unless it is stopped after a step. Returns whether it got there. */
bool follow(AnnealingPopulation& population, const AnnealingSchedule& schedule, double threshold,
            MoveCounts& counts, const function<bool()>& proceed) {
    for (size_t i = 1; i < schedule.betas.size(); i++) {
        population.reweight(schedule.betas[i]);
        population.resample(threshold);
        for (int j = 0; j < schedule.movesPerBeta; j++)
            counts +=
                population.move(schedule.stepSizes[i - 1], schedule.stepSizeJitter, schedule.leapfrogSteps);
        const bool isLast = i + 1 == schedule.betas.size();
        if (!isLast && !proceed())
            return false;
    }
    return true;
}

string describe(const MoveCounts& counts) {
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

WeightedEnsemble runAnnealing(AnnealingPath& path, const AnnealingOptions& options, long long count,
                              uint64_t seed, uint64_t first, const FlowSampler::Progress& progress) {
    const long long islandSize = options.islandSize, block = max(1LL, BLOCK / islandSize) * islandSize;
    vector<double> positions, logWeights, reducedPotentials;
    MoveCounts counts;
    auto getDone = [&] { return (long long)logWeights.size(); };
    auto proceed = [&] { return !progress || progress(getDone(), count); };
    const AnnealingSchedule schedule =
        options.schedule ? *options.schedule
                         : planAnnealing(path, options, [&](long long) { return proceed(); });
    bool isGoing = schedule.betas.back() == 1;
    while (isGoing && getDone() < count) {
        AnnealingPopulation population(path, seed, first + getDone(), min(block, count - getDone()),
                                       islandSize);
        MoveCounts blockCounts;
        isGoing = follow(population, schedule, options.resamplingThreshold, blockCounts, proceed);
        if (!isGoing)
            break;
        counts += blockCounts;
        append(positions, population.getPositions());
        append(logWeights, population.getLogWeights());
        append(reducedPotentials, population.getReducedPotentials());
        isGoing = proceed();
    }
    const long long done = getDone();
    WeightedEnsemble ensemble =
        WeightedEnsemble::fromLogWeights(path.getNumParticles(), path.getTemperature(), std::move(positions),
                                         std::move(logWeights), std::move(reducedPotentials), islandSize);
    ensemble.addSampleRange({seed, first, done});
    // A pilot run that was stopped left nothing to go on with.
    if (schedule.betas.back() == 1)
        ensemble.setMetadata("annealing", schedule.toJson());
    if (islandSize > 1)
        ensemble.setMetadata("resampling_threshold", nlohmann::json(options.resamplingThreshold).dump());
    ensemble.setMetadata("moves", describe(counts));
    return ensemble;
}

}  // namespace OpenMMFlow
