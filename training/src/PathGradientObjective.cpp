#include "PathGradientObjective.h"

#include <algorithm>

#include "TrainingState.h"

using namespace OpenMMFlow;

double PathGradientObjective::getTemperature(int64_t step) const {
    const double end = schedule.getAnnealingEnd();
    return schedule.getTemperature(end > 0 ? std::min(1.0, (double)step / end) : 1);
}

double PathGradientObjective::computeGradient(TrainingState& state) {
    return computePathGradient(state, getAnnealedTarget((int64_t)state.getPosition()));
}
