#include "MaxwellVelocities.h"

#include <cmath>

#include "ReplicaNoise.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

void redrawVelocities(vector<Vec3>& velocities, const vector<int>& particles, const System& system, double kT,
                      uint64_t key, uint64_t step) {
    vector<double> normals(3 * particles.size());
    drawNormals(key, step, shared::NoiseStream::FlowMoveVelocities, (int)normals.size(), normals.data());
    Vec3 excess;
    double totalMass = 0;
    for (size_t i = 0; i < particles.size(); i++) {
        const double mass = system.getParticleMass(particles[i]);
        const Vec3 fresh = sqrt(kT / mass) * Vec3(normals[3 * i], normals[3 * i + 1], normals[3 * i + 2]);
        excess += mass * (fresh - velocities[particles[i]]);
        totalMass += mass;
        velocities[particles[i]] = fresh;
    }
    for (int particle : particles)
        velocities[particle] -= excess / totalMass;
}

void slowStiffMotions(vector<Vec3>& velocities, const vector<int>& particles, const System& system,
                      double halfStep, const vector<Vec3>& forces, const vector<Vec3>& displaced) {
    Vec3 excess;
    double totalMass = 0;
    for (int particle : particles) {
        const Vec3 impulse = 0.5 * halfStep * (displaced[particle] - forces[particle]);
        velocities[particle] += impulse / system.getParticleMass(particle);
        excess += impulse;
        totalMass += system.getParticleMass(particle);
    }
    for (int particle : particles)
        velocities[particle] -= excess / totalMass;
}

}  // namespace OpenMMFlow
