#include "MoveEnergies.h"

#include <algorithm>
#include <mutex>

#include "TranslationInvariance.h"
#include "openmm/OpenMMException.h"
#include "openmm/serialization/XmlSerializer.h"
#include "openmmflow/internal/ContextMutex.h"
#include "openmmflow/internal/ForceKinds.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

/** A System with the particles, and the Forces that have an energy, of another. */
unique_ptr<System> copyEnergy(const System& system) {
    auto copy = make_unique<System>();
    for (int i = 0; i < system.getNumParticles(); i++)
        copy->addParticle(system.getParticleMass(i));
    for (int i = 0; i < system.getNumForces(); i++)
        if (!isWithoutEnergy(system.getForce(i)))
            copy->addForce(XmlSerializer::clone<Force>(system.getForce(i)));
    return copy;
}

}  // namespace

unique_ptr<MoveEnergies> MoveEnergies::create(const System& system, const vector<int>& particles,
                                              const string& threads) {
    if ((int)particles.size() != system.getNumParticles() || system.usesPeriodicBoundaryConditions())
        return nullptr;
    // The Forces are copied, and their expressions parsed.
    lock_guard lock(getContextMutex());
    try {
        const unique_ptr<System> copy = copyEnergy(system);
        if (!isTranslationInvariant(*copy))
            return nullptr;
        return make_unique<MoveEnergies>(*copy, particles, threads);
    } catch (const OpenMMException&) {
        // What cannot be evaluated in batches, the Context evaluates.
        return nullptr;
    }
}

MoveEnergies::MoveEnergies(const System& system, const vector<int>& particles, const string& threads)
    : particles(particles),
      potential(system, {{"Precision", "double"}, {"Threads", threads}, {"Implementation", "batched"}}) {}

bool MoveEnergies::update(const map<string, double>& parameters, int groups) {
    lock_guard lock(getContextMutex());
    bool hasChanged = groups != this->groups;
    if (hasChanged)
        potential.setForceGroups(groups);
    this->groups = groups;
    const map<string, double> old = potential.getParameters();
    for (const auto& [name, value] : old)
        if (parameters.at(name) != value) {
            potential.setParameter(name, parameters.at(name));
            hasChanged = true;
        }
    return hasChanged;
}

vector<double> MoveEnergies::compute(const vector<double>& positions) {
    const size_t size = 3 * particles.size();
    vector<double> ordered(positions.size());
    for (size_t k = 0; k < positions.size(); k += size)
        for (size_t i = 0; i < particles.size(); i++)
            copy_n(&positions[k + 3 * i], 3, &ordered[k + 3 * particles[i]]);
    return potential.computeEnergies(ordered);
}

}  // namespace OpenMMFlow
