#include "TemperatureLadder.h"

#include <algorithm>
#include <cmath>

using namespace OpenMMFlow;

TemperatureLadder::TemperatureLadder(const FlowTrainerOptions& options, double temperature)
    : temperature(temperature), schedule(options, temperature), stageSteps(options.stageSteps) {
    const double annealing = schedule.getAnnealingEnd() - (double)schedule.countPretrainingSteps();
    numRungs = std::max(1.0, std::floor(annealing / (double)stageSteps));
}

double TemperatureLadder::getTemperature(int64_t step) const {
    const int64_t since = step - schedule.countPretrainingSteps();
    // The stage after pretraining takes the first step down.
    return schedule.getTemperature(since < 0 ? 0
                                             : std::min(1.0, (double)(since / stageSteps + 1) / numRungs));
}

IntermediateTarget TemperatureLadder::choose(const SampleBuffer& buffer) const {
    return {0, temperature / getTemperature(buffer.firstStep)};
}
