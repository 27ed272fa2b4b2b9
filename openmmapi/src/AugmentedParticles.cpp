#include "openmmflow/AugmentedParticles.h"

#include <cmath>
#include <memory>
#include <set>

#include "FlowParticles.h"
#include "MarginalDensity.h"
#include "Temperature.h"
#include "openmm/CustomCompoundBondForce.h"
#include "openmm/CustomGBForce.h"
#include "openmm/CustomManyParticleForce.h"
#include "openmm/CustomNonbondedForce.h"
#include "openmm/GBSAOBCForce.h"
#include "openmm/GayBerneForce.h"
#include "openmm/NonbondedForce.h"
#include "openmm/OpenMMException.h"
#include "openmm/reference/SimTKOpenMMRealType.h"
#include "openmmflow/internal/AugmentedFlowModel.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

const AugmentedFlowModel& getAugmentedModel(const Flow& flow) {
    const auto* model = dynamic_cast<const AugmentedFlowModel*>(&flow.getModel());
    if (model == nullptr)
        throw OpenMMException("The flow has no augmented particles, so there is nothing to add.");
    return *model;
}

void checkAllowsIdleParticles(const Force& force) {
    if (dynamic_cast<const GBSAOBCForce*>(&force) != nullptr
        || dynamic_cast<const CustomGBForce*>(&force) != nullptr
        || dynamic_cast<const CustomManyParticleForce*>(&force) != nullptr)
        throw OpenMMException("Augmented particles cannot be left out of a " + force.getName()
                              + ": use a MonteCarloFlowMove, which needs none in the System, or another force "
                                "field.");
}

/** Exclude interactions of particles that may be in one place: of nothing, but at no distance. */
void exclude(NonbondedForce& nonbonded, const vector<int>& together) {
    for (size_t i = 0; i < together.size(); i++)
        for (size_t j = 0; j < i; j++)
            nonbonded.addException(together[j], together[i], 0, 1, 0);
}

/** Add particles that a Force has nothing to do with: augmented ones, of these particles. */
void addIdleParticles(Force& force, int existing, int added, const vector<int>& particles) {
    if (auto* nonbonded = dynamic_cast<NonbondedForce*>(&force)) {
        for (int i = 0; i < added; i++)
            nonbonded->addParticle(0, 1, 0);
        for (size_t i = 0; i < particles.size(); i++) {
            vector<int> together = {particles[i]};
            for (int k = (int)i; k < added; k += (int)particles.size())
                together.push_back(existing + k);
            exclude(*nonbonded, together);
        }
    } else if (auto* gayBerne = dynamic_cast<GayBerneForce*>(&force)) {
        for (int i = 0; i < added; i++)
            gayBerne->addParticle(1, 0, -1, -1, 1, 1, 1, 1, 1, 1);
    } else if (auto* custom = dynamic_cast<CustomNonbondedForce*>(&force)) {
        if (custom->getNumInteractionGroups() == 0) {
            set<int> all;
            for (int i = 0; i < existing; i++)
                all.insert(i);
            custom->addInteractionGroup(all, all);
        }
        for (int i = 0; i < added; i++)
            custom->addParticle(vector<double>(custom->getNumPerParticleParameters(), 0.0));
    }
}

}  // namespace

vector<int> AugmentedParticles::addTo(System& system, const Flow& flow, const vector<int>& particles,
                                      double temperature, double mass) {
    const AugmentedFlowModel& model = getAugmentedModel(flow);
    const int existing = system.getNumParticles(), added = model.getNumAugmentedParticles();
    checkFlowParticles(flow, particles, system, false, "list of particles");
    checkTemperature(temperature);
    if (!(mass > 0 && isfinite(mass)))
        throw OpenMMException("The mass of augmented particles must be a positive number.");
    // All of them before the first is changed.
    for (int f = 0; f < system.getNumForces(); f++)
        checkAllowsIdleParticles(system.getForce(f));
    for (int f = 0; f < system.getNumForces(); f++)
        addIdleParticles(system.getForce(f), existing, added, particles);
    const int dimensions = model.getParticles().dimensions;
    const double kT = BOLTZ * temperature, scale = model.getParticles().augmentedScale;
    const string square = string("((x1-x2)^2+(y1-y2)^2") + (dimensions == 3 ? "+(z1-z2)^2)" : ")");
    auto conditional = make_unique<CustomCompoundBondForce>(2, Scale() + "*(0.5*k*" + square + "+offset)");
    conditional->setName("AugmentedConditionalForce");
    conditional->addGlobalParameter(Scale(), 1);
    conditional->addEnergyParameterDerivative(Scale());
    conditional->addPerBondParameter("k");
    conditional->addPerBondParameter("offset");
    vector<int> result;
    for (int k = 0; k < added; k++) {
        result.push_back(system.addParticle(mass));
        conditional->addBond({particles[k % particles.size()], result.back()},
                             {kT / (scale * scale), kT * dimensions * log(sqrt(2 * M_PI) * scale)});
    }
    system.addForce(conditional.release());
    return result;
}

vector<double> AugmentedParticles::drawPositions(const Flow& flow, const vector<double>& positions,
                                                 uint64_t seed) {
    const AugmentedFlowModel& model = getAugmentedModel(flow);
    const size_t size = 3 * model.getNumParticles();
    if (positions.size() != size)
        throw OpenMMException("The flow has " + to_string(model.getNumParticles())
                              + " particles, so positions must hold " + to_string(size) + " numbers, not "
                              + to_string(positions.size()) + ".");
    vector<double> joint(size + 3 * model.getNumAugmentedParticles());
    drawConditional(model, positions.data(), seed, 0, 0, joint.data());
    return {joint.begin() + size, joint.end()};
}

}  // namespace OpenMMFlow
