#include "PathGradientObjective.h"

#include <algorithm>

using namespace OpenMMFlow;

double PathGradientObjective::getTemperature(double position) const {
    const double end = schedule.getAnnealingEnd();
    return schedule.getTemperature(end > 0 ? std::min(1.0, position / end) : 1);
}

double PathGradientObjective::computeGradient(TrainingState& state) {
    return computePathGradient(state, getAnnealedTarget(state));
}
