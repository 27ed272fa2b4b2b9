#include "openmmflow/BatchedLangevinMiddleIntegrator.h"

#include <cmath>
#include <sstream>

#include "ReplicaNoise.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/internal/TensorFile.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

static void checkFriction(double friction) {
    if (!(friction >= 0 && isfinite(friction)))
        throw OpenMMException("The friction must not be negative, and " + to_string(friction) + " is.");
}

BatchedLangevinMiddleIntegrator::BatchedLangevinMiddleIntegrator(
    const System& system, BatchedPotential& potential, const vector<double>& temperatures, double friction,
    double stepSize, uint64_t seed, uint64_t firstReplica, const map<string, string>& properties)
    : BatchedIntegrator(system, potential, temperatures, stepSize, seed, firstReplica, properties),
      friction(friction),
      velocities(offset(getNumReplicas())) {
    checkFriction(friction);
    forEachReplica([&](int replica) { drawVelocities(replica, 0, &velocities[offset(replica)]); });
}

void BatchedLangevinMiddleIntegrator::setVelocities(const vector<double>& velocities) {
    if (velocities.size() != this->velocities.size())
        throw OpenMMException("The " + to_string(getNumReplicas()) + " replicas need "
                              + to_string(this->velocities.size()) + " velocities, not "
                              + to_string(velocities.size()) + ".");
    this->velocities = velocities;
}

void BatchedLangevinMiddleIntegrator::setTemperatures(const vector<double>& temperatures) {
    const vector<double> before = getTemperatures();
    BatchedIntegrator::setTemperatures(temperatures);
    for (int replica = 0; replica < getNumReplicas(); replica++) {
        if (temperatures[replica] == before[replica])
            continue;
        const double scale = sqrt(temperatures[replica] / before[replica]);
        for (size_t i = offset(replica); i < offset(replica + 1); i++)
            velocities[i] *= scale;
    }
}

void BatchedLangevinMiddleIntegrator::advance(int replica) {
    static thread_local vector<double> normals;
    normals.resize(3 * masses.size());
    drawNormals(keys[replica], stepCount, shared::NoiseStream::Langevin, (int)normals.size(), normals.data());
    const double kept = exp(-friction * stepSize), drawn = sqrt((1 - kept * kept) * temperatures[replica]);
    double* v = &velocities[offset(replica)];
    const double* force = &forces[offset(replica)];
    for (size_t i = 0; i < masses.size(); i++)
        for (size_t j = 3 * i; j < 3 * i + 3; j++)
            v[j] += stepSize * inverseMasses[i] * force[j];
    drift(replica, 0.5 * stepSize, v);
    for (size_t i = 0; i < masses.size(); i++)
        for (size_t j = 3 * i; j < 3 * i + 3; j++)
            v[j] = kept * v[j] + drawn * thermalVelocities[i] * normals[j];
    drift(replica, 0.5 * stepSize, v);
    center(replica);
}

void BatchedLangevinMiddleIntegrator::step(long long steps) {
    prepare(steps);
    for (long long i = 0; i < steps; i++) {
        forEachReplica([&](int replica) { advance(replica); });
        evaluate();
        stepCount++;
        checkEnergies();
    }
}

void BatchedLangevinMiddleIntegrator::checkEnergies() const {
    for (int replica = 0; replica < getNumReplicas(); replica++)
        if (!isfinite(energies[replica])) {
            stringstream message;
            message << "Replica " << firstReplica + replica << " at " << temperatures[replica]
                    << " K blew up in step " << stepCount << ", its potential energy is " << energies[replica]
                    << " kJ/mol: minimise the energy first, or choose a step size smaller than " << stepSize
                    << " ps.";
            throw OpenMMException(message.str());
        }
}

string BatchedLangevinMiddleIntegrator::getName() const {
    return "BatchedLangevinMiddleIntegrator";
}

string BatchedLangevinMiddleIntegrator::getDescription() const {
    stringstream text;
    text << "LangevinMiddle, step size " << stepSize << " ps, friction " << friction << "/ps";
    return text.str();
}

void BatchedLangevinMiddleIntegrator::save(TensorFile& file) {
    BatchedIntegrator::save(file);
    file.setReals("friction", {}, {friction});
    file.setReals("velocities", {getNumReplicas(), getNumParticles(), 3}, velocities);
}

void BatchedLangevinMiddleIntegrator::loadOwn(const TensorFile& file) {
    const double newFriction = file.getReals("friction", {})[0];
    const vector<double> newVelocities =
        file.getReals("velocities", {getNumReplicas(), getNumParticles(), 3});
    checkFriction(newFriction);
    friction = newFriction;
    velocities = newVelocities;
}

}  // namespace OpenMMFlow
