#include "AnnealingPilot.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "AnnealingPopulation.h"
#include "ReplicaNoise.h"
#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

/** Where the search for the first step size starts, in nm: a fraction of the amplitude of a bond. */
const double FIRST_STEP_SIZE = 1e-3;

double findNextBeta(const AnnealingPopulation& population, double conditionalEss) {
    if (population.getConditionalEss(1) >= conditionalEss)
        return 1;
    // The first step can be smaller by orders of magnitude, where the flow proposes atoms that overlap.
    const double beta = population.getBeta();
    double possible = 0, tooLong = 1 - beta;
    while (tooLong - possible > 1e-3 * tooLong && beta + tooLong > beta) {
        const double step = 0.5 * (possible + tooLong);
        (population.getConditionalEss(beta + step) >= conditionalEss ? possible : tooLong) = step;
    }
    return beta + possible;
}

/** Move until the acceptance is near the one to aim at. */
void tune(AnnealingPopulation& population, AnnealingSchedule& schedule) {
    const int mostMoves = 30;
    const double tolerance = 0.03;
    double stepSize = schedule.stepSizes.empty() ? FIRST_STEP_SIZE : schedule.stepSizes.back();
    for (int i = 1;; i++) {
        const MoveCounts counts = population.move(stepSize, schedule.stepSizeJitter, schedule.leapfrogSteps);
        const double acceptance = counts.probabilities / counts.proposed;
        const double excess = acceptance - schedule.targetAcceptance;
        if (abs(excess) < tolerance || i == mostMoves) {
            schedule.stepSizes.push_back(stepSize);
            schedule.acceptances.push_back(acceptance);
            return;
        }
        stepSize *= exp(excess);
    }
}

}  // namespace

AnnealingSchedule planAnnealing(AnnealingPath& path, const AnnealingOptions& options,
                                const function<bool(long long)>& proceed) {
    AnnealingSchedule schedule;
    schedule.betas = {0};
    schedule.leapfrogSteps = options.leapfrogSteps;
    schedule.movesPerBeta = options.movesPerBeta;
    schedule.pilotSeed = options.pilotSeed;
    schedule.pilotSize = options.pilotSize;
    schedule.conditionalEss = options.conditionalEss;
    schedule.targetAcceptance = options.acceptance;
    const uint64_t seed = makeReplicaKey(options.pilotSeed, 0, shared::NoiseStream::AnnealingPilot);
    AnnealingPopulation population(path, seed, 0, options.pilotSize, options.pilotSize);
    // Samples of weight zero would count as lost in the first step, however small it is.
    population.resample(1);
    if (*max_element(population.getLogWeights().begin(), population.getLogWeights().end()) < -1e300)
        throw OpenMMException("None of the " + to_string(options.pilotSize)
                              + " samples of the pilot run has a finite energy: the flow does not propose anything that "
                                "the System allows.");
    while (population.getBeta() < 1) {
        const double next = findNextBeta(population, options.conditionalEss);
        if (next == population.getBeta() || (long long)schedule.betas.size() > MOST_ANNEALING_STEPS)
            throw OpenMMException(
                "The flow is too far from the target for a conditional effective sample fraction of "
                + to_string(options.conditionalEss) + ", the pilot run stopped after "
                + to_string(schedule.betas.size()) + " steps at beta = " + to_string(population.getBeta())
                + ": train the flow further, or lower the fraction.");
        population.reweight(next);
        population.resample(0.5);
        schedule.betas.push_back(next);
        tune(population, schedule);
        for (int i = 1; i < schedule.movesPerBeta; i++)
            population.move(schedule.stepSizes.back(), schedule.stepSizeJitter, schedule.leapfrogSteps);
        if (!proceed(schedule.stepSizes.size()))
            break;
    }
    return schedule;
}

}  // namespace OpenMMFlow
