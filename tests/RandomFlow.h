#ifndef OPENMMFLOW_RANDOMFLOW_H_
#define OPENMMFLOW_RANDOMFLOW_H_

#include <random>
#include <vector>

#include "openmmflow/Flow.h"
#include "openmmflow/internal/InternalFlowModel.h"

/** Flows with random parameters, far from the identity, for tests of densities. */
namespace OpenMMFlow {

/**
 * Coordinates of an artificial molecule: a chain with side groups, every other torsion free, the rest
 * relative to a sibling.
 *
 * @param bond, bondScale    the center and the scale of the bonds
 */
inline InternalCoordinates makeCoordinates(int numParticles, double bond, double bondScale,
                                           double angleScale) {
    InternalCoordinates coordinates;
    for (int i = 0; i < numParticles; i++) {
        InternalCoordinates::Placement place = {i, -1, -1, -1};
        if (i == 1)
            place = {1, 0, -1, -1};
        else if (i == 2)
            place = {2, 1, 0, -1};
        else if (i > 2 && i % 2 == 1)
            place = {i, i - 1, i == 3 ? 1 : i - 3, i == 3 ? 0 : i - 2};
        else if (i > 2)
            place = {i, i - 2, i - 3, i - 1};
        if (i > 2 && place.torsion == place.angle)
            place.torsion = place.angle == 0 ? 1 : 0;
        coordinates.placements.push_back(place);
        coordinates.atomNames.push_back("X" + std::to_string(i));
    }
    for (int i = 0; i < numParticles - 1; i++) {
        coordinates.center.push_back(bond);
        coordinates.scale.push_back(bondScale);
    }
    for (int i = 0; i < numParticles - 2; i++) {
        coordinates.center.push_back(1.7);
        coordinates.scale.push_back(angleScale);
    }
    for (int i = 0; i < numParticles - 3; i++) {
        const bool isFree = i % 2 == 0;
        coordinates.center.push_back(isFree ? 0.0 : 2.0);
        coordinates.scale.push_back(isFree ? 1.0 : 0.3);
        coordinates.torsionLower.push_back(isFree ? -M_PI : i % 4 == 1 ? 0.0 : 2.0 - M_PI);
        coordinates.torsionUpper.push_back(isFree ? M_PI : i % 4 == 1 ? M_PI : 2.0 + M_PI);
        coordinates.torsionKinds.push_back(isFree       ? InternalCoordinates::TorsionKind::Free
                                           : i % 4 == 1 ? InternalCoordinates::TorsionKind::Chiral
                                                        : InternalCoordinates::TorsionKind::Planar);
    }
    coordinates.circular.assign(coordinates.center.size(), 0);
    for (int i = 0; i < numParticles - 3; i += 2)
        coordinates.circular[2 * numParticles - 3 + i] = 1;
    return coordinates;
}

/** Fill every layer with random numbers, the last ones included, so that the splines differ much from the
 * identity. */
inline Flow makeRandomFlow(const InternalCoordinates& coordinates,
                           const InternalFlowModel::Configuration& configuration, unsigned seed) {
    InternalFlowModel identity(coordinates, configuration, seed);
    std::vector<SplineCoupling> couplings = identity.getCouplings();
    std::mt19937 generator(seed);
    std::normal_distribution<double> normal;
    auto randomize = [&](DenseLayer& layer, double weight, double bias) {
        for (double& w : layer.weight)
            w = weight / std::sqrt(layer.inputs) * normal(generator);
        for (double& b : layer.bias)
            b = bias * normal(generator);
    };
    for (SplineCoupling& coupling : couplings) {
        randomize(coupling.input, 1.0, 0.5);
        for (auto& [first, second] : coupling.blocks) {
            randomize(first, 1.0, 0.5);
            randomize(second, 0.5, 0.5);
        }
        randomize(coupling.output, 0.25, 0.4);
    }
    return Flow(std::make_shared<InternalFlowModel>(coordinates, configuration, couplings));
}

/** A flow of `numParticles` atoms with broad, random densities in units where a bond is about `bond` nm long.
 */
inline Flow makeRandomFlow(int numParticles, InternalFlowModel::Activation activation, unsigned seed,
                           double bond = 0.15) {
    InternalFlowModel::Configuration configuration;
    configuration.couplings = 4;
    configuration.hidden = 24;
    configuration.blocks = 2;
    configuration.bins = 6;
    configuration.linearBins = 5;
    configuration.activation = activation;
    return makeRandomFlow(makeCoordinates(numParticles, bond, 0.1 * bond, 0.15), configuration, seed);
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_RANDOMFLOW_H_*/
