#include "openmmflow/FlowBuilder.h"

#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>

#include "Hash.h"
#include "Stereochemistry.h"
#include "openmm/OpenMMException.h"
#include "openmm/serialization/XmlSerializer.h"
#include "openmmflow/internal/AugmentedCouplingModel.h"
#include "openmmflow/internal/ContextMutex.h"
#include "openmmflow/internal/EquivariantCouplingModel.h"
#include "openmmflow/internal/ForceKinds.h"
#include "openmmflow/internal/InternalFlowModel.h"

using namespace OpenMMFlow;
using namespace OpenMM;
using namespace std;
using nlohmann::json;

namespace {

InternalFlowModel::Activation getActivation(const string& name) {
    if (name == "silu")
        return InternalFlowModel::Activation::SiLU;
    if (name == "relu")
        return InternalFlowModel::Activation::ReLU;
    throw OpenMMException("There is no activation '" + name + "': choose silu or relu.");
}

/** As ASCII, whatever bytes the names of atoms hold. */
string toText(const json& value) {
    return value.dump(-1, ' ', true, json::error_handler_t::replace);
}

string listRestrictions(const MolecularGraph& graph, const InternalCoordinates& coordinates) {
    json list = json::array();
    for (const Restriction& restriction : findRestrictions(graph, coordinates)) {
        json names = json::array();
        for (int atom : restriction.atoms)
            names.push_back(graph.getName(atom));
        list.push_back({{"kind", restriction.kind},
                        {"particles", restriction.atoms},
                        {"names", names},
                        {"description", restriction.description}});
    }
    return toText(list);
}

template <class Options>
CouplingModel::Particles getParticles(const vector<int>& types, const Options& options) {
    return {types, options.dimensions, options.copies, options.augmentedScale};
}

template <class Options>
CouplingModel::Base getBase(const vector<int>& bonds, const Options& options) {
    if (bonds.size() % 2 != 0)
        throw OpenMMException("Bonds are pairs of particles, and " + to_string(bonds.size())
                              + " numbers are not pairs.");
    CouplingModel::Base base;
    for (size_t k = 0; k < bonds.size(); k += 2)
        base.bonds.emplace_back(bonds[k], bonds[k + 1]);
    base.scale = options.baseScale;
    base.augmentedScale = options.augmentedScale;
    return base;
}

template <class Options>
CouplingModel::Configuration getCommonConfiguration(const Options& options) {
    CouplingModel::Configuration configuration;
    configuration.scaling = options.scaling;
    configuration.layers = options.layers;
    configuration.bins = options.bins;
    configuration.range = options.range;
    configuration.minBinFraction = options.minBinFraction;
    configuration.minDerivative = options.minDerivative;
    configuration.lengthUnit = options.lengthUnit;
    return configuration;
}

}  // namespace

Flow FlowBuilder::createInternal(const Molecule& molecule, const vector<double>& positions,
                                 const vector<double>& weights, const InternalFlowOptions& options) {
    InternalFlowModel::Configuration configuration;
    configuration.couplings = options.couplings;
    configuration.hidden = options.hidden;
    configuration.blocks = options.blocks;
    configuration.bins = options.bins;
    configuration.linearBins = options.linearBins;
    // Where a spline ends it has the tails of the base, which may be too thin: so far out hardly a sample is.
    configuration.tailBound = 8;
    configuration.harmonics = options.harmonics;
    configuration.products = options.products;
    configuration.activation = getActivation(options.activation);
    InternalCoordinates coordinates = InternalCoordinates::choose(molecule);
    MolecularGraph graph(molecule);
    if (!positions.empty())
        coordinates.standardize(positions, weights);
    else if (!weights.empty())
        throw OpenMMException("There are weights but no positions that they belong to.");
    json atoms = {{"names", graph.getNames()}, {"atomicNumbers", molecule.atomicNumbers}};
    return Flow(make_shared<InternalFlowModel>(coordinates, configuration, options.seed),
                {{"atoms", toText(atoms)}, {"restrictions", listRestrictions(graph, coordinates)}});
}

Flow FlowBuilder::createEquivariantCoupling(const vector<int>& types,
                                            const EquivariantCouplingOptions& options,
                                            const vector<int>& bonds) {
    EquivariantCouplingModel::Configuration configuration{getCommonConfiguration(options)};
    configuration.transform = EquivariantCouplingModel::getTransform(options.transform);
    configuration.repeats = options.repeats;
    configuration.reflections = options.reflections;
    configuration.blocks = options.blocks;
    configuration.hidden = options.hidden;
    configuration.features = options.features;
    configuration.headHidden = options.headHidden;
    return Flow(make_shared<EquivariantCouplingModel>(getParticles(types, options), getBase(bonds, options),
                                                      configuration, options.seed));
}

Flow FlowBuilder::createAugmentedCoupling(const vector<int>& types, const AugmentedCouplingOptions& options,
                                          const vector<int>& bonds) {
    AugmentedCouplingModel::Configuration configuration{getCommonConfiguration(options)};
    configuration.transform = AugmentedCouplingModel::getTransform(options.transform);
    configuration.blocks = options.blocks;
    configuration.attentionHeads = options.attentionHeads;
    configuration.keySize = options.keySize;
    configuration.hidden = options.hidden;
    configuration.headHidden = options.headHidden;
    return Flow(make_shared<AugmentedCouplingModel>(getParticles(types, options), getBase(bonds, options),
                                                    configuration, options.seed));
}

void FlowBuilder::checkSystem(const System& system) {
    for (int i = 0; i < system.getNumParticles(); i++) {
        string particle = "Particle " + to_string(i);
        if (system.isVirtualSite(i))
            throw OpenMMException(particle
                                  + " of the System is a virtual site, whose position a flow cannot choose: rebuild the "
                                    "System with a force field that puts its charges on atoms.");
        if (system.getParticleMass(i) == 0)
            throw OpenMMException(particle
                                  + " of the System has no mass, so it never moves, while a flow moves every particle: "
                                    "rebuild the System with the masses of its atoms.");
    }
    if (system.getNumConstraints() > 0) {
        int first, second;
        double distance;
        system.getConstraintParameters(0, first, second, distance);
        throw OpenMMException("The System has " + to_string(system.getNumConstraints())
                              + " constraints, the first between particles " + to_string(first) + " and "
                              + to_string(second)
                              + ", while a flow moves every bond: rebuild the System with constraints=None and "
                                "rigidWater=False.");
    }
    if (system.usesPeriodicBoundaryConditions())
        throw OpenMMException(
            "The System uses periodic boundary conditions, while a flow describes one molecule by itself: "
            "rebuild the System "
            "with nonbondedMethod=NoCutoff or CutoffNonPeriodic, from a topology without a box.");
}

string FlowBuilder::hashSystem(const System& system) {
    // Names, force groups and masses are left out, since the same energy may come with others.
    lock_guard lock(getContextMutex());
    Hash hash;
    hash.add(to_string(system.getNumParticles()));
    for (int i = 0; i < system.getNumForces(); i++) {
        const Force& force = system.getForce(i);
        if (isWithoutEnergy(force))
            continue;
        unique_ptr<Force> copy(XmlSerializer::clone<Force>(force));
        copy->setName("");
        copy->setForceGroup(0);
        stringstream xml;
        XmlSerializer::serialize<Force>(copy.get(), "Force", xml);
        hash.add(xml.str());
    }
    if (system.usesPeriodicBoundaryConditions()) {
        Vec3 box[3];
        system.getDefaultPeriodicBoxVectors(box[0], box[1], box[2]);
        for (const Vec3& vector : box)
            for (int i = 0; i < 3; i++)
                hash.add(toText(vector[i]));
    }
    return hash.toString();
}
