#include "FlowMoveChecks.h"

#include <cmath>
#include <sstream>

#include "FlowParticles.h"
#include "IntegratorTraits.h"
#include "openmm/AndersenThermostat.h"
#include "openmm/OpenMMException.h"
#include "openmm/internal/ForceImpl.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

void checkEqualTemperatures(double temperature, double other, const string& owner) {
    if (abs(temperature - other) <= 1e-6 * temperature || isnan(other))
        return;
    stringstream message;
    message << "The flow moves are made at " << temperature << " K but " << owner << " keeps " << other
            << " K: give both the same temperature (the Context parameter "
            << MonteCarloFlowMove::Temperature()
            << " changes that of the moves), or allow this with setRequiresMatchingTemperature(false).";
    throw OpenMMException(message.str());
}

vector<bool> markParticles(const vector<int>& particles, const System& system) {
    vector<bool> isMoved(system.getNumParticles());
    for (int particle : particles)
        isMoved[particle] = true;
    return isMoved;
}

}  // namespace

void checkFlowMove(const MonteCarloFlowMove& move, const vector<int>& particles, ContextImpl& context) {
    const System& system = context.getSystem();
    checkFlowParticles(move.getFlow(), particles, system, false, move.getName());
    for (int particle : particles) {
        const string subject = "Particle " + to_string(particle) + " of the " + move.getName();
        if (system.isVirtualSite(particle))
            throw OpenMMException(subject
                                  + " is a virtual site, whose position a flow cannot choose: use a flow of the "
                                    "particles that define it.");
        if (system.getParticleMass(particle) == 0)
            throw OpenMMException(
                subject + " has no mass, so that it never moves, while a flow moves all: give it a mass.");
    }
    const vector<bool> isMoved = markParticles(particles, system);
    for (int i = 0; i < system.getNumConstraints(); i++) {
        int first, second;
        double distance;
        system.getConstraintParameters(i, first, second, distance);
        if (isMoved[first] || isMoved[second])
            throw OpenMMException("The distance of particles " + to_string(first) + " and " + to_string(second)
                                  + " is constrained, while the " + move.getName()
                                  + " changes every distance: build the System without constraints of the flow's "
                                    "particles (constraints=None, rigidWater=False).");
    }
    checkUpdatesContextState(context.getIntegrator());
    if (!move.getRequiresMatchingTemperature())
        return;
    const double temperature = move.getDefaultTemperature();
    checkEqualTemperatures(temperature, getTemperature(getCurrentIntegrator(context.getIntegrator())),
                           "the integrator");
    for (int i = 0; i < system.getNumForces(); i++)
        if (auto* thermostat = dynamic_cast<const AndersenThermostat*>(&system.getForce(i)))
            checkEqualTemperatures(temperature, thermostat->getDefaultTemperature(),
                                   "the AndersenThermostat");
}

void checkMatchingTemperature(double temperature, ContextImpl& context) {
    checkEqualTemperatures(temperature, getTemperature(getCurrentIntegrator(context.getIntegrator())),
                           "the integrator");
    const auto thermostat = context.getParameters().find(AndersenThermostat::Temperature());
    if (thermostat != context.getParameters().end())
        checkEqualTemperatures(temperature, thermostat->second, "the AndersenThermostat");
}

vector<pair<int, int>> findBonds(ContextImpl& context, const vector<int>& particles) {
    const vector<bool> isMoved = markParticles(particles, context.getSystem());
    vector<pair<int, int>> bonds;
    for (const ForceImpl* force : context.getForceImpls())
        for (const pair<int, int>& bond : force->getBondedParticles())
            if (isMoved[bond.first] && isMoved[bond.second])
                bonds.push_back(bond);
    return bonds;
}

void checkWhole(const vector<pair<int, int>>& bonds, const vector<Vec3>& positions, ContextImpl& context) {
    Vec3 box[3];
    context.getPeriodicBoxVectors(box[0], box[1], box[2]);
    for (const auto& [first, second] : bonds) {
        const Vec3 displacement = positions[second] - positions[first];
        for (int j = 0; j < 3; j++)
            if (abs(displacement[j]) > 0.5 * box[j][j])
                throw OpenMMException("Particles " + to_string(first) + " and " + to_string(second)
                                      + " are bonded, but lie in different periodic images, where a flow does not "
                                        "find their bond: set positions in which the molecule is whole.");
    }
}

}  // namespace OpenMMFlow
