#include "openmmflow/BatchedIntegrator.h"

#include <cmath>

#include "ReplicaNoise.h"
#include "TranslationInvariance.h"
#include "openmm/MonteCarloAnisotropicBarostat.h"
#include "openmm/MonteCarloBarostat.h"
#include "openmm/MonteCarloFlexibleBarostat.h"
#include "openmm/MonteCarloMembraneBarostat.h"
#include "openmm/OpenMMException.h"
#include "openmm/internal/ThreadPool.h"
#include "openmm/reference/SimTKOpenMMRealType.h"
#include "openmmflow/internal/KernelProperties.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

/** The masses of a System that the equations of motion here can propagate. */
vector<double> getMasses(const System& system) {
    vector<double> masses(system.getNumParticles());
    for (int i = 0; i < system.getNumParticles(); i++) {
        masses[i] = system.getParticleMass(i);
        if (system.isVirtualSite(i) || !(masses[i] > 0))
            throw OpenMMException(
                "Particle " + to_string(i)
                + (system.isVirtualSite(i)
                       ? " is a virtual site, which batched dynamics do not know: build the "
                         "System without virtual sites."
                       : " has no mass, so that it cannot move: give every particle of the "
                         "System a mass."));
    }
    if (system.getNumConstraints() > 0)
        throw OpenMMException("The System has " + to_string(system.getNumConstraints())
                              + " constraints, which batched dynamics do not know: build it with "
                                "constraints=None and rigidWater=False.");
    for (int i = 0; i < system.getNumForces(); i++) {
        const Force* force = &system.getForce(i);
        if (dynamic_cast<const MonteCarloBarostat*>(force) != nullptr
            || dynamic_cast<const MonteCarloAnisotropicBarostat*>(force) != nullptr
            || dynamic_cast<const MonteCarloFlexibleBarostat*>(force) != nullptr
            || dynamic_cast<const MonteCarloMembraneBarostat*>(force) != nullptr)
            throw OpenMMException(
                "The System has a barostat, but batched dynamics keep the volume: remove the "
                + force->getName() + ".");
    }
    return masses;
}

}  // namespace

BatchedIntegrator::BatchedIntegrator(const System& system, BatchedPotential& potential,
                                     const vector<double>& temperatures, double stepSize, uint64_t seed,
                                     uint64_t firstReplica, const map<string, string>& properties)
    : potential(potential),
      seed(seed),
      firstReplica(firstReplica),
      masses(getMasses(system)),
      temperatures(temperatures),
      stepSize(stepSize),
      isTranslationInvariant(OpenMMFlow::isTranslationInvariant(system)) {
    if (system.getNumParticles() != potential.getNumParticles())
        throw OpenMMException(
            "The System has " + to_string(system.getNumParticles()) + " particles and the BatchedPotential "
            + to_string(potential.getNumParticles()) + ": they must describe the same molecule.");
    if (temperatures.empty())
        throw OpenMMException("There is no replica: give a temperature for each.");
    checkTemperatures(temperatures);
    checkPositive(stepSize, "step size");
    for (const auto& property : properties)
        if (property.first != "Threads")
            throw OpenMMException("Batched integrators have no property \"" + property.first
                                  + "\"; they know Threads.");
    threads = make_unique<ThreadPool>(getThreads(properties));
    for (double mass : masses) {
        inverseMasses.push_back(1 / mass);
        thermalVelocities.push_back(sqrt(BOLTZ / mass));
    }
    for (size_t k = 0; k < temperatures.size(); k++)
        keys.push_back(makeReplicaKey(seed, firstReplica + k));
}

BatchedIntegrator::~BatchedIntegrator() = default;

void BatchedIntegrator::checkTemperatures(const vector<double>& temperatures) {
    for (double temperature : temperatures)
        if (!(temperature > 0 && isfinite(temperature)))
            throw OpenMMException("Temperatures must be positive, in K, and " + to_string(temperature)
                                  + " is not.");
}

void BatchedIntegrator::checkPositive(double value, const string& name) {
    if (!(value > 0 && isfinite(value)))
        throw OpenMMException("The " + name + " must be positive, and " + to_string(value) + " is not.");
}

void BatchedIntegrator::setTemperatures(const vector<double>& temperatures) {
    if (temperatures.size() != this->temperatures.size())
        throw OpenMMException("There are " + to_string(this->temperatures.size()) + " replicas, but "
                              + to_string(temperatures.size()) + " temperatures: give one for each.");
    checkTemperatures(temperatures);
    this->temperatures = temperatures;
}

void BatchedIntegrator::setStepSize(double size) {
    checkPositive(size, "step size");
    stepSize = size;
}

void BatchedIntegrator::setPositions(const vector<double>& positions) {
    if (positions.size() != offset(getNumReplicas()))
        throw OpenMMException("The " + to_string(getNumReplicas()) + " replicas have "
                              + to_string(offset(getNumReplicas()))
                              + " coordinates, so that many positions are " + "needed, not "
                              + to_string(positions.size()) + ".");
    vector<double> newEnergies, newForces;
    potential.computeEnergiesAndForces(positions, newEnergies, newForces);
    for (size_t k = 0; k < newEnergies.size(); k++)
        if (!isfinite(newEnergies[k]))
            throw OpenMMException("The potential energy of replica " + to_string(firstReplica + k)
                                  + " is not finite at these positions: minimise the energy first.");
    this->positions = positions;
    energies.swap(newEnergies);
    forces.swap(newForces);
    generation = potential.getGeneration();
}

void BatchedIntegrator::update() {
    if (!positions.empty() && generation != potential.getGeneration())
        setPositions(vector<double>(positions));
}

const vector<double>& BatchedIntegrator::getPotentialEnergies() {
    update();
    return energies;
}

void BatchedIntegrator::prepare(long long steps) {
    if (positions.empty())
        throw OpenMMException("The replicas have no positions yet: call setPositions() first.");
    if (steps < 0)
        throw OpenMMException("The number of steps must not be negative.");
    update();
}

void BatchedIntegrator::forEachReplica(const function<void(int)>& task) {
    const long long count = getNumReplicas(), numThreads = threads->getNumThreads();
    threads->execute([&](ThreadPool&, int thread) {
        for (long long k = count * thread / numThreads; k < count * (thread + 1) / numThreads; k++)
            task((int)k);
    });
    threads->waitForThreads();
}

void BatchedIntegrator::drawVelocities(int replica, uint64_t step, double* velocities) const {
    drawNormals(keys[replica], step, shared::NoiseStream::Velocities, 3 * getNumParticles(), velocities);
    const double scale = sqrt(temperatures[replica]);
    for (int i = 0; i < getNumParticles(); i++)
        for (int j = 0; j < 3; j++)
            velocities[3 * i + j] *= scale * thermalVelocities[i];
}

void BatchedIntegrator::drift(int replica, double time, const double* velocities) {
    double* x = &positions[offset(replica)];
    for (size_t i = 0; i < 3 * masses.size(); i++)
        x[i] += time * velocities[i];
}

void BatchedIntegrator::center(int replica) {
    if (!isTranslationInvariant)
        return;
    double* x = &positions[offset(replica)];
    for (int j = 0; j < 3; j++) {
        double center = 0;
        for (size_t i = j; i < 3 * masses.size(); i += 3)
            center += x[i];
        center /= (double)masses.size();
        for (size_t i = j; i < 3 * masses.size(); i += 3)
            x[i] -= center;
    }
}

}  // namespace OpenMMFlow
