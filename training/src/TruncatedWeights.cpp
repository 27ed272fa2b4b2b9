#include "TruncatedWeights.h"

#include <algorithm>
#include <cmath>

#include "ScaledWeights.h"

std::vector<double> OpenMMFlow::computeTruncatedWeights(const std::vector<double>& logWeights) {
    ScaledWeights weights(logWeights);
    const double count = (double)weights.values.size();
    for (double& weight : weights.values)
        weight = std::min(weight * count / weights.sum, std::sqrt(count));
    return weights.values;
}
