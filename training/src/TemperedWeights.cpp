#include "TemperedWeights.h"

#include <numeric>

#include "ScaledWeights.h"

/** Multiply logarithms by a power. */
static std::vector<double> raise(std::vector<double> logWeights, double power) {
    for (double& logWeight : logWeights)
        logWeight *= power;
    return logWeights;
}

std::vector<double> OpenMMFlow::temperWeights(const std::vector<double>& logWeights, double fraction) {
    const double wanted = fraction * (double)logWeights.size();
    if (ScaledWeights(logWeights).getEffectiveSize() >= wanted)
        return logWeights;
    double low = 0, high = 1;
    for (int halving = 0; halving < 40; halving++) {
        const double middle = std::midpoint(low, high);
        const bool tooFew = ScaledWeights(raise(logWeights, middle)).getEffectiveSize() < wanted;
        (tooFew ? high : low) = middle;
    }
    return raise(logWeights, low);
}
