#include "TruncatedWeights.h"

#include <algorithm>
#include <cmath>

std::vector<double> OpenMMFlow::computeTruncatedWeights(const std::vector<double>& logWeights) {
    const double largest = *std::max_element(logWeights.begin(), logWeights.end());
    std::vector<double> weights;
    double sum = 0;
    for (double logWeight : logWeights) {
        weights.push_back(std::exp(logWeight - largest));
        sum += weights.back();
    }
    const double count = (double)weights.size();
    for (double& weight : weights)
        weight = std::min(weight * count / sum, std::sqrt(count));
    return weights;
}
