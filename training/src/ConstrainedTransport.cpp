#include "ConstrainedTransport.h"

#include <algorithm>
#include <cmath>

using namespace OpenMMFlow;

namespace {

IntermediateTarget fromMultipliers(double lambda, double eta) {
    return {lambda / (1 + lambda + eta), 1 / (1 + lambda + eta)};
}

/**
 * Find the smallest multiplier that keeps a bound, which a larger one keeps all the more.
 *
 * @param isKept   of a multiplier
 */
template <class IsKept>
double findMultiplier(const IsKept& isKept) {
    if (isKept(0.0))
        return 0;
    // The multiplier is x/(1-x): it may be of any size, and the bound is kept in the limit.
    double low = 0, high = 1;
    const int numHalvings = 30;
    for (int i = 0; i < numHalvings; i++) {
        const double middle = 0.5 * (low + high);
        (isKept(middle / (1 - middle)) ? high : low) = middle;
    }
    // Never as far as infinity, even if nothing was.
    high = std::min(high, 1 - std::ldexp(1.0, -numHalvings));
    return high / (1 - high);
}

}  // namespace

ConstrainedTransport::Moments ConstrainedTransport::measure(const IntermediateTarget& r) const {
    const size_t count = logQ.size();
    std::vector<double> logRatios(count);
    for (size_t k = 0; k < count; k++)
        logRatios[k] = r.getLogDensity(logQ[k], logP[k]) - logQ[k];
    const double largest = *std::max_element(logRatios.begin(), logRatios.end());
    double sum = 0, ratioSum = 0, logQSum = 0, flowSum = 0;
    for (size_t k = 0; k < count; k++) {
        const double weight = std::exp(logRatios[k] - largest);
        sum += weight;
        ratioSum += weight * (logRatios[k] - largest);
        logQSum += weight * logQ[k];
        flowSum += logQ[k];
    }
    const double divergence = ratioSum / sum - std::log(sum / (double)count);
    return {divergence, divergence + logQSum / sum - flowSum / (double)count};
}

IntermediateTarget ConstrainedTransport::solveTrustRegion(double trustRegion, double eta) const {
    return fromMultipliers(findMultiplier([&](double lambda) {
                               return measure(fromMultipliers(lambda, eta)).divergence <= trustRegion;
                           }),
                           eta);
}

IntermediateTarget ConstrainedTransport::solve(double trustRegion, double entropyDecay) const {
    if (entropyDecay == 0)
        return solveTrustRegion(trustRegion, 0);
    return solveTrustRegion(trustRegion, findMultiplier([&](double eta) {
                                return measure(solveTrustRegion(trustRegion, eta)).entropyDecay
                                       <= entropyDecay;
                            }));
}
