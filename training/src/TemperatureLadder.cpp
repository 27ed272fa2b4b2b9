#include "TemperatureLadder.h"

#include <algorithm>
#include <cmath>

using namespace OpenMMFlow;

TemperatureLadder::TemperatureLadder(const FlowTrainerOptions& options, double temperature)
    : temperature(temperature), schedule(options, temperature), stageSteps(options.stageSteps) {
    const double annealing = schedule.getAnnealingEnd() - schedule.countPretrainingSteps();
    numRungs = std::max(1.0, std::floor(annealing / stageSteps));
}

double TemperatureLadder::getTemperature(double position) const {
    const double since = position - schedule.countPretrainingSteps();
    // The stage after pretraining takes the first step down.
    return schedule.getTemperature(
        since < 0 ? 0 : std::min(1.0, (std::floor(since / stageSteps) + 1) / numRungs));
}

IntermediateTarget TemperatureLadder::choose(const SampleBuffer&, double position) const {
    return {0, temperature / getTemperature(position)};
}
