#include "EnergyPaths.h"

#include "SelectRows.h"

using namespace OpenMMFlow;

EnergyPaths EnergyPaths::compute(const TrainableFlow& trainable, const std::vector<double>& positions,
                                 BatchedPotential& potential) {
    EnergyPaths paths;
    std::vector<double> forces;
    potential.computeEnergiesAndForces(positions, paths.energies, forces);
    const size_t size = 3 * trainable.getNumParticles();
    paths.gradient.reserve(paths.energies.size() * trainable.getNumCoordinates());
    for (size_t k = 0; k < paths.energies.size(); k++)
        for (double force : trainable.toCoordinateGradient(&positions[k * size], &forces[k * size]))
            paths.gradient.push_back(-force);
    return paths;
}

EnergyPaths EnergyPaths::select(const std::vector<int64_t>& samples) const {
    return {selectRows(energies, samples, energies.size()), selectRows(gradient, samples, energies.size())};
}
