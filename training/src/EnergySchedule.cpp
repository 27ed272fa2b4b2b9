#include "EnergySchedule.h"

#include <algorithm>
#include <cmath>

using namespace OpenMMFlow;

EnergySchedule::EnergySchedule(const FlowTrainerOptions& options, double temperature)
    : temperature(temperature),
      initialTemperature(std::max(options.initialTemperature, temperature)),
      numSteps(std::max<int64_t>(1, options.maxSamples / options.batchSize)),
      numPretraining((int64_t)(options.pretrainingFraction * (double)numSteps)),
      annealingEnd(options.annealingFraction * (double)numSteps) {}

double EnergySchedule::getTemperature(double progress) const {
    return temperature * std::pow(initialTemperature / temperature, 1 - progress);
}
