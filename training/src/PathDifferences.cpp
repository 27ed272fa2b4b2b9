#include "PathDifferences.h"

#include <algorithm>
#include <cmath>

#include "Median.h"

using namespace OpenMMFlow;

PathDifferences::PathDifferences(const PathSamples& samples, const PathTarget& other, double clipFactor,
                                 const ProcessGroup& group) {
    // Of many processes some may have no sample.
    const size_t count = samples.logQ.size(), rows = std::max<size_t>(1, count),
                 D = samples.coordinates.size() / rows, A = samples.adjoints.size() / rows;
    const double flowExponent = other.target.flowExponent,
                 energyFactor = other.target.targetExponent / other.kT;
    std::vector<double> norms, g(D);
    for (size_t k = 0; k < count; k++) {
        double square = 0;
        for (size_t j = 0; j < D; j++) {
            g[j] = samples.gradient[k * D + j] + energyFactor * other.energies.gradient[k * D + j];
            if (flowExponent != 0)
                g[j] -= flowExponent * other.flow.gradient[k * D + j];
            square += g[j] * g[j];
        }
        const double logQ = flowExponent == 0 ? 0 : other.flow.logQ[k];
        const double logWeight =
            other.target.getLogDensity(logQ, -other.energies.energies[k] / other.kT) - samples.logQ[k];
        if (!std::isfinite(square) || !std::isfinite(logWeight))
            continue;
        indices.push_back(k);
        coordinates.insert(coordinates.end(), &samples.coordinates[k * D], &samples.coordinates[k * D] + D);
        gradient.insert(gradient.end(), g.begin(), g.end());
        adjoints.insert(adjoints.end(), samples.adjoints.data() + k * A,
                        samples.adjoints.data() + (k + 1) * A);
        norms.push_back(std::sqrt(square));
        logWeights.push_back(logWeight);
    }
    if (clipFactor == 0)
        return;
    const std::vector<double> all = group.gather(norms).values;
    if (all.empty())
        return;
    const double longest = clipFactor * getMedian(all);
    std::vector<double> factors;
    for (double norm : norms)
        factors.push_back(std::min(1.0, longest / norm));
    weight(factors);
}

void PathDifferences::weight(const std::vector<double>& weights) {
    for (size_t i = 0; i < gradient.size(); i++)
        gradient[i] *= weights[i * weights.size() / gradient.size()];
}

void PathDifferences::computeGradient(const TrainableFlow& trainable, at::Tensor& parameters,
                                      const std::vector<double>& worth) const {
    if (worth.empty())
        trainable.computePathGradient(parameters, coordinates, gradient);
    else
        trainable.computeBalancedPathGradient(parameters, coordinates, gradient, adjoints, worth);
}

double PathDifferences::computeForwardGradient(const TrainableFlow& trainable, at::Tensor& parameters,
                                               const PathSamples& samples, const std::vector<double>& weights,
                                               int64_t batchSize, double likelihood,
                                               const ProcessGroup& group) {
    std::vector<double> worth;
    for (size_t k : indices)
        worth.push_back(weights[k] / (double)batchSize);
    weight(worth);
    for (double& each : worth)
        each *= -likelihood;
    computeGradient(trainable, parameters, likelihood > 0 ? worth : std::vector<double>());
    double sum = 0;
    for (size_t k = 0; k < weights.size(); k++)
        sum -= weights[k] * samples.logQ[k] / (double)batchSize;
    return group.sum(sum);
}
