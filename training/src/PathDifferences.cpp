#include "PathDifferences.h"

#include <algorithm>
#include <cmath>

#include "Median.h"

using namespace OpenMMFlow;

PathDifferences::PathDifferences(const TrainableFlow& trainable, const PathSamples& samples,
                                 BatchedPotential& potential, double kT, double clipFactor,
                                 const ProcessGroup& group) {
    std::vector<double> energies, forces, norms;
    potential.computeEnergiesAndForces(samples.positions, energies, forces);
    const size_t N = 3 * trainable.getNumParticles(), D = trainable.getNumCoordinates(),
                 A = samples.adjoints.size() / std::max<size_t>(1, energies.size());
    for (size_t k = 0; k < energies.size(); k++) {
        std::vector<double> g = trainable.toCoordinateGradient(&samples.positions[k * N], &forces[k * N]);
        double square = 0;
        for (size_t j = 0; j < D; j++) {
            g[j] = samples.gradient[k * D + j] - g[j] / kT;
            square += g[j] * g[j];
        }
        const double logWeight = -energies[k] / kT - samples.logQ[k];
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
