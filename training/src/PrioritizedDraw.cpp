#include "PrioritizedDraw.h"

#include <algorithm>
#include <cmath>

#include "shared/noise.h"

std::vector<int64_t> OpenMMFlow::drawPrioritized(const std::vector<double>& logWeights, int count,
                                                 uint64_t seed, uint64_t draw) {
    const double largest = *std::max_element(logWeights.begin(), logWeights.end());
    std::vector<double> sums;
    double sum = 0;
    for (double logWeight : logWeights)
        sums.push_back(sum += std::exp(logWeight - largest));
    std::vector<int64_t> result;
    for (int i = 0; i < count; i++) {
        const double uniform = shared::uniformPair(seed, draw, shared::NoiseStream::ReplayBuffer, i).first;
        const auto found = std::upper_bound(sums.begin(), sums.end(), uniform * sum);
        // Round-off may lead one beyond the last.
        result.push_back(std::min<int64_t>(found - sums.begin(), (int64_t)sums.size() - 1));
    }
    return result;
}
