#include "AnnealingRun.h"

#include <algorithm>
#include <sstream>
#include <string>

#include "AnnealingPopulation.h"

using namespace std;

namespace OpenMMFlow {

namespace {

/** Samples that are annealed together: enough to keep all lanes of many threads busy, and few enough for the
 * call of Progress after each to come within seconds. */
const long long BLOCK = 1024;

MoveCounts follow(AnnealingPopulation& population, const AnnealingSchedule& schedule, double threshold) {
    MoveCounts counts;
    for (size_t i = 1; i < schedule.betas.size(); i++) {
        population.reweight(schedule.betas[i]);
        population.resample(threshold);
        for (int j = 0; j < schedule.movesPerBeta; j++)
            counts +=
                population.move(schedule.stepSizes[i - 1], schedule.stepSizeJitter, schedule.leapfrogSteps);
    }
    return counts;
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
    long long done = 0;
    while (done < count) {
        AnnealingPopulation population(path, seed, first + done, min(block, count - done), islandSize);
        counts += follow(population, *options.schedule, options.resamplingThreshold);
        append(positions, population.getPositions());
        append(logWeights, population.getLogWeights());
        append(reducedPotentials, population.getReducedPotentials());
        done = logWeights.size();
        if (progress && !progress(done, count))
            break;
    }
    WeightedEnsemble ensemble =
        WeightedEnsemble::fromLogWeights(path.getNumParticles(), path.getTemperature(), std::move(positions),
                                         std::move(logWeights), std::move(reducedPotentials), islandSize);
    ensemble.addSampleRange({seed, first, done});
    ensemble.setMetadata("annealing", options.schedule->toJson());
    if (islandSize > 1)
        ensemble.setMetadata("resampling_threshold", to_string(options.resamplingThreshold));
    ensemble.setMetadata("moves", describe(counts));
    return ensemble;
}

}  // namespace OpenMMFlow
