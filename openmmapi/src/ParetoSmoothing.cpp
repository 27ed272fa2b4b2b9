#include "openmmflow/internal/ParetoSmoothing.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "SpecialNumbers.h"

using namespace std;

namespace OpenMMFlow {

namespace {

/** The maximum-likelihood shape for a given theta = -k/sigma: the average of log(1 - theta x). */
double profileShape(double theta, const vector<double>& excesses) {
    double sum = 0;
    for (double x : excesses)
        sum += log1p(-theta * x);
    return sum / excesses.size();
}

/**
 * The shape of the generalised Pareto distribution of excesses over a threshold, in ascending order. Zhang
 * and Stephens, Technometrics 51, 316 (2009): theta is averaged over its profile likelihood on a grid, with a
 * prior that depends on the largest excess and on the first quartile.
 */
double fitGeneralizedPareto(const vector<double>& excesses) {
    const size_t n = excesses.size();
    const int gridSize = 30 + (int)sqrt((double)n);
    const double quartile = excesses[(size_t)(n / 4.0 + 0.5) - 1];
    vector<double> theta(gridSize), logLikelihood(gridSize);
    for (int j = 0; j < gridSize; j++) {
        theta[j] = 1 / excesses.back() + (1 - sqrt(gridSize / (j + 0.5))) / (3 * quartile);
        const double k = profileShape(theta[j], excesses);
        logLikelihood[j] = n * (log(-theta[j] / k) - k - 1);
    }
    double sum = 0, average = 0;
    const double most = *max_element(logLikelihood.begin(), logLikelihood.end());
    for (int j = 0; j < gridSize; j++) {
        const double weight = exp(logLikelihood[j] - most);
        sum += weight;
        average += weight * theta[j];
    }
    const double k = profileShape(average / sum, excesses);
    const double priorCount = 10, priorShape = 0.5;
    return (n * k + priorCount * priorShape) / (n + priorCount);
}

}  // namespace

double fitParetoShape(vector<double> logWeights) {
    const size_t count = logWeights.size();
    const size_t tailSize = (size_t)ceil(min(count / 5.0, 3 * sqrt((double)count)));
    if (count <= tailSize)
        return infinity;
    const auto tail = logWeights.begin() + tailSize;
    nth_element(logWeights.begin(), tail, logWeights.end(), greater<>());
    const double largest = *max_element(logWeights.begin(), tail + 1);
    if (largest == -infinity)
        return infinity;
    if (*min_element(tail, logWeights.end()) == largest)
        return -infinity;
    // Weights that underflow next to the largest one are not part of the tail.
    const double threshold = max(*tail - largest, log(numeric_limits<double>::min()));
    vector<double> excesses;
    for (auto logWeight = logWeights.begin(); logWeight != tail; ++logWeight)
        if (*logWeight - largest > threshold)
            excesses.push_back(exp(*logWeight - largest) - exp(threshold));
    if (excesses.size() <= 4)
        return infinity;
    sort(excesses.begin(), excesses.end());
    const double k = fitGeneralizedPareto(excesses);
    return isfinite(k) ? k : infinity;
}

}  // namespace OpenMMFlow
