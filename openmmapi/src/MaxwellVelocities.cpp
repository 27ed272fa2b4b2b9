#include "MaxwellVelocities.h"

#include <cmath>

#include "ReplicaNoise.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

/** Give some particles a velocity in common, such that their total momentum becomes less by so much. */
void removeMomentum(vector<Vec3>& velocities, const vector<int>& particles, const System& system,
                    const Vec3& momentum) {
    double totalMass = 0;
    for (int particle : particles)
        totalMass += system.getParticleMass(particle);
    for (int particle : particles)
        velocities[particle] -= momentum / totalMass;
}

}  // namespace

void redrawVelocities(vector<Vec3>& velocities, const vector<int>& particles, const System& system, double kT,
                      uint64_t key, uint64_t step) {
    vector<double> normals(3 * particles.size());
    drawNormals(key, step, shared::NoiseStream::FlowMoveVelocities, (int)normals.size(), normals.data());
    Vec3 excess;
    for (size_t i = 0; i < particles.size(); i++) {
        const double mass = system.getParticleMass(particles[i]);
        const Vec3 fresh = sqrt(kT / mass) * Vec3(normals[3 * i], normals[3 * i + 1], normals[3 * i + 2]);
        excess += mass * (fresh - velocities[particles[i]]);
        velocities[particles[i]] = fresh;
    }
    removeMomentum(velocities, particles, system, excess);
}

void slowStiffMotions(vector<Vec3>& velocities, const vector<int>& particles, const System& system,
                      double halfStep, const vector<Vec3>& forces, const vector<Vec3>& displaced) {
    Vec3 excess;
    for (int particle : particles) {
        const Vec3 impulse = 0.5 * halfStep * (displaced[particle] - forces[particle]);
        velocities[particle] += impulse / system.getParticleMass(particle);
        excess += impulse;
    }
    removeMomentum(velocities, particles, system, excess);
}

}  // namespace OpenMMFlow
