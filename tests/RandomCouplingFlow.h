#ifndef OPENMMFLOW_RANDOMCOUPLINGFLOW_H_
#define OPENMMFLOW_RANDOMCOUPLINGFLOW_H_

#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "openmmflow/Flow.h"
#include "openmmflow/internal/AugmentedCouplingModel.h"
#include "openmmflow/internal/EquivariantCouplingModel.h"

namespace OpenMMFlow {

/** A variant of a coupling flow, small enough for tests. */
struct CouplingVariant {
    std::string name;
    EquivariantCouplingModel::Transform transform;
    int dimensions = 3, numParticles = 4, copies = 1, repeats = 1;
    bool reflections = false, scaling = false, types = false, bonds = false;
    double lengthUnit = 1;
    /** Else an augmented coupling flow, with an affine function or a spline of each Cartesian coordinate. */
    bool isEquivariant = true;
    bool isAffine() const { return transform == EquivariantCouplingModel::Transform::CartesianAffine; }
    bool hasFrames() const {
        return isEquivariant && transform != EquivariantCouplingModel::Transform::Vector;
    }
};

inline std::ostream& operator<<(std::ostream& out, const CouplingVariant& variant) {
    return out << variant.name;
}

/** Of equivariant coupling flows, every transform in two and three dimensions, and each option at least once.
 */
inline std::vector<CouplingVariant> getEquivariantVariants() {
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

/** The same of augmented coupling flows. */
inline std::vector<CouplingVariant> getAugmentedVariants() {
    using Transform = EquivariantCouplingModel::Transform;
    std::vector<CouplingVariant> variants = {
        {"augmentedAffine", Transform::CartesianAffine},
        {"augmentedAffinePlane", Transform::CartesianAffine, 2, 3, 2, 1, false, true},
        {"augmentedAffineTypes", Transform::CartesianAffine, 3, 5, 1, 1, false, true, true, false, 0.1},
        {"augmentedSpline", Transform::CartesianSpline, 3, 5, 1, 1, false, true},
        {"augmentedSplinePlane", Transform::CartesianSpline, 2, 4, 1, 1, false, false, true},
        {"augmentedSplineThreeCopies", Transform::CartesianSpline, 3, 3, 3, 1, false, true, false, false,
         0.3},
        {"augmentedSplinePair", Transform::CartesianSpline, 3, 2}};
    for (CouplingVariant& variant : variants)
        variant.isEquivariant = false;
    return variants;
}

/** Those of all families. */
inline std::vector<CouplingVariant> getCouplingVariants() {
    std::vector<CouplingVariant> variants = getEquivariantVariants();
    for (const CouplingVariant& variant : getAugmentedVariants())
        variants.push_back(variant);
    return variants;
}

/** A model with the particles, base and options of another, and other parameters. */
inline Flow makeCouplingFlow(const CouplingModel& model, const std::vector<double>& parameters) {
    return Flow(model.withParameters(parameters));
}

/** Adds normal random numbers to parameters. */
class ParameterNoise {
public:
    ParameterNoise(std::vector<double> parameters, unsigned seed, double size)
        : parameters(std::move(parameters)), generator(seed), size(size) {}
    void add(size_t first, size_t count, double deviation) {
        for (size_t i = first; i < first + count; i++)
            parameters[i] += size * deviation * normal(generator);
    }
    void addToAll(double deviation) { add(0, parameters.size(), deviation); }
    void addToLayer(const LayerPlace& layer, double deviation) {
        add(layer.weight, (size_t)layer.inputs * layer.outputs, deviation);
        if (layer.hasBias)
            add(layer.bias, layer.outputs, deviation);
    }
    const std::vector<double>& get() const { return parameters; }

private:
    std::vector<double> parameters;
    std::mt19937 generator;
    std::normal_distribution<double> normal;
    double size;
};

inline Flow makeRandomFlow(const CouplingVariant& variant, const CouplingModel::Particles& particles,
                           const CouplingModel::Base& base,
                           EquivariantCouplingModel::Configuration configuration, unsigned seed,
                           double size) {
    configuration.transform = variant.transform;
    configuration.repeats = variant.repeats;
    configuration.reflections = variant.reflections;
    configuration.layers = variant.isAffine() && variant.dimensions == 2 ? 3 : 2;
    configuration.blocks = 2;
    configuration.hidden = 10;
    configuration.features = 7;
    configuration.headHidden = 9;
    const EquivariantCouplingModel initial(particles, base, configuration, seed);
    ParameterNoise noise(initial.getParameters(), seed, size);
    noise.addToAll(0.1);
    for (const auto& coupling : initial.getPlaces().couplings) {
        // Vectors that move by different combinations of neighbours span better frames.
        for (const auto& block : coupling.blocks) {
            noise.addToLayer(block.edge, 0.3);
            noise.addToLayer(block.shiftOutput, 0.3);
        }
        for (const auto& head : coupling.heads) {
            noise.addToLayer(head.hidden.first, 0.2);
            noise.addToLayer(head.output, variant.isAffine() ? 0.4 : 0.1);
        }
    }
    return makeCouplingFlow(initial, noise.get());
}

inline Flow makeRandomFlow(const CouplingVariant& variant, const CouplingModel::Particles& particles,
                           const CouplingModel::Base& base,
                           AugmentedCouplingModel::Configuration configuration, unsigned seed, double size) {
    using Transform = AugmentedCouplingModel::Transform;
    configuration.transform = variant.isAffine() ? Transform::Affine : Transform::Spline;
    configuration.layers = 2;
    configuration.blocks = 2;
    configuration.attentionHeads = 2;
    configuration.keySize = 5;
    configuration.hidden = 9;
    configuration.headHidden = 8;
    const AugmentedCouplingModel initial(particles, base, configuration, seed);
    ParameterNoise noise(initial.getParameters(), seed, size);
    noise.addToAll(0.1);
    for (const auto& coupling : initial.getPlaces().couplings) {
        // Particles that attend to some more than to others.
        for (const auto& block : coupling.blocks) {
            noise.addToLayer(block.query, 0.5);
            noise.addToLayer(block.key, 0.5);
        }
        noise.addToLayer(coupling.output, variant.isAffine() ? 0.15 : 0.2);
    }
    return makeCouplingFlow(initial, noise.get());
}

/** A flow of a variant with random parameters, whose log-determinants vary. */
inline Flow makeRandomCouplingFlow(const CouplingVariant& variant, unsigned seed, double size = 1) {
    CouplingModel::Particles particles;
    CouplingModel::Base base;
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
    CouplingModel::Configuration common;
    common.scaling = variant.scaling;
    common.bins = 5;
    common.range = 3 * unit;
    common.lengthUnit = unit;
    if (variant.isEquivariant)
        return makeRandomFlow(variant, particles, base, EquivariantCouplingModel::Configuration{common}, seed,
                              size);
    return makeRandomFlow(variant, particles, base, AugmentedCouplingModel::Configuration{common}, seed,
                          size);
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_RANDOMCOUPLINGFLOW_H_*/
