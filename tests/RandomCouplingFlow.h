#ifndef OPENMMFLOW_RANDOMCOUPLINGFLOW_H_
#define OPENMMFLOW_RANDOMCOUPLINGFLOW_H_

#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "openmmflow/Flow.h"
#include "openmmflow/internal/EquivariantCouplingModel.h"

namespace OpenMMFlow {

/** A variant of the equivariant coupling flow, small enough for tests. */
struct CouplingVariant {
    std::string name;
    EquivariantCouplingModel::Transform transform;
    int dimensions = 3, numParticles = 4, copies = 1, repeats = 1;
    bool reflections = false, scaling = false, types = false, bonds = false;
    double lengthUnit = 1;
};

inline std::ostream& operator<<(std::ostream& out, const CouplingVariant& variant) {
    return out << variant.name;
}

/** Every transform in two and three dimensions, and each option at least once. */
inline std::vector<CouplingVariant> getCouplingVariants() {
    using Transform = EquivariantCouplingModel::Transform;
    std::vector<CouplingVariant> variants = {
        {"spherical", Transform::Spherical},
        {"sphericalPlane", Transform::Spherical, 2},
        {"sphericalTypes", Transform::Spherical, 3, 5, 1, 2, false, true, true, true, 0.1},
        {"sphericalReflections", Transform::Spherical, 3, 4, 1, 1, true},
        {"sphericalPlaneReflections", Transform::Spherical, 2, 3, 1, 1, true, true},
        {"sphericalTwoCopies", Transform::Spherical, 3, 3, 2, 1, false, true},
        {"sphericalThreeCopies", Transform::Spherical, 3, 3, 3},
        {"affine", Transform::CartesianAffine, 3, 5, 1, 1, false, true},
        {"affinePlane", Transform::CartesianAffine, 2, 5, 1, 2},
        {"affineReflections", Transform::CartesianAffine, 3, 4, 1, 1, true},
        {"spline", Transform::CartesianSpline, 3, 4, 1, 1, false, false, true},
        {"splinePlane", Transform::CartesianSpline, 2, 4},
        {"splineReflections", Transform::CartesianSpline, 3, 4, 1, 1, true},
        {"vector", Transform::Vector, 3, 4, 1, 3},
        {"vectorPlane", Transform::Vector, 2, 4, 1, 2},
        {"vectorPair", Transform::Vector, 3, 2, 1, 1, false, true}};
    return variants;
}

/** A flow of a variant with random parameters, whose log-determinants vary. */
inline Flow makeRandomCouplingFlow(const CouplingVariant& variant, unsigned seed, double size = 1) {
    EquivariantCouplingModel::Particles particles;
    EquivariantCouplingModel::Base base;
    EquivariantCouplingModel::Configuration configuration;
    const bool isAffine = variant.transform == EquivariantCouplingModel::Transform::CartesianAffine;
    for (int i = 0; i < variant.numParticles; i++) {
        particles.types.push_back(variant.types ? i % 3 : 0);
        if (variant.bonds && i > 0)
            base.bonds.emplace_back(i / 2, i);
    }
    const double unit = variant.lengthUnit;
    particles.dimensions = variant.dimensions;
    particles.copies = variant.copies;
    particles.augmentedScale = 0.4 * unit;
    base.scale = unit;
    base.augmentedScale = 0.5 * unit;
    configuration.transform = variant.transform;
    configuration.repeats = variant.repeats;
    configuration.reflections = variant.reflections;
    configuration.scaling = variant.scaling;
    configuration.layers = isAffine && variant.dimensions == 2 ? 3 : 2;
    configuration.blocks = 2;
    configuration.hidden = 10;
    configuration.features = 7;
    configuration.headHidden = 9;
    configuration.bins = 5;
    configuration.range = 3 * unit;
    configuration.lengthUnit = unit;
    const EquivariantCouplingModel initial(particles, base, configuration, seed);
    std::vector<double> parameters = initial.getParameters();
    std::mt19937 generator(seed);
    std::normal_distribution<double> normal;
    auto add = [&](size_t first, size_t count, double deviation) {
        for (size_t i = first; i < first + count; i++)
            parameters[i] += size * deviation * normal(generator);
    };
    auto addToLayer = [&](const LayerPlace& layer, double deviation) {
        add(layer.weight, (size_t)layer.inputs * layer.outputs, deviation);
        if (layer.hasBias)
            add(layer.bias, layer.outputs, deviation);
    };
    add(0, parameters.size(), 0.1);
    for (const auto& coupling : initial.getPlaces().couplings) {
        // Vectors that move by different combinations of neighbours span better frames.
        for (const auto& block : coupling.blocks) {
            addToLayer(block.edge, 0.3);
            addToLayer(block.shiftOutput, 0.3);
        }
        for (const auto& head : coupling.heads) {
            addToLayer(head.hidden.first, 0.2);
            addToLayer(head.output, isAffine ? 0.4 : 0.1);
        }
    }
    return Flow(std::make_shared<EquivariantCouplingModel>(particles, base, configuration, parameters));
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_RANDOMCOUPLINGFLOW_H_*/
