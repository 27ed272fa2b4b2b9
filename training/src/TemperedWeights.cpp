#include "TemperedWeights.h"

#include <algorithm>
#include <cmath>
#include <numeric>

/** Of weights to a power; falls as it rises. */
static double getEffectiveFraction(const std::vector<double>& logWeights, double largest, double power) {
    double sum = 0, squares = 0;
    for (double logWeight : logWeights) {
        const double weight = std::exp(power * (logWeight - largest));
        sum += weight;
        squares += weight * weight;
    }
    return sum * sum / (squares * (double)logWeights.size());
}

std::vector<double> OpenMMFlow::temperWeights(std::vector<double> logWeights, double fraction) {
    const double largest = *std::max_element(logWeights.begin(), logWeights.end());
    if (getEffectiveFraction(logWeights, largest, 1) >= fraction)
        return logWeights;
    double low = 0, high = 1;
    for (int halving = 0; halving < 40; halving++) {
        const double middle = std::midpoint(low, high);
        (getEffectiveFraction(logWeights, largest, middle) < fraction ? high : low) = middle;
    }
    for (double& logWeight : logWeights)
        logWeight *= low;
    return logWeights;
}
