#include <charconv>
#include <cmath>

#include "ReplicaNoise.h"
#include "openmm/OpenMMException.h"
#include "openmm/reference/SimTKOpenMMRealType.h"
#include "openmmflow/BatchedIntegrator.h"
#include "openmmflow/internal/TensorFile.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

/** Numbers that do not fit into the integers of a TensorFile are in its metadata. */
uint64_t readNumber(const TensorFile& file, const string& key) {
    const string& text = file.getMetadata(key);
    uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = from_chars(text.data(), end, number);
    if (error != errc() || stop != end)
        file.fail("its " + key + " is not a whole number");
    return number;
}

}  // namespace

string BatchedIntegrator::createCheckpoint() {
    TensorFile file;
    save(file);
    return file.serialize();
}

void BatchedIntegrator::loadCheckpoint(const string& bytes) {
    load(TensorFile::parse(bytes, "the checkpoint"));
}

void BatchedIntegrator::save(TensorFile& file) {
    prepare(0);
    const int64_t replicas = getNumReplicas(), particles = getNumParticles();
    file.getMetadata()["integrator"] = getName();
    file.getMetadata()["seed"] = to_string(seed);
    file.getMetadata()["first_replica"] = to_string(firstReplica);
    file.setReals("masses", {particles}, masses);
    file.setReals("temperatures", {replicas}, temperatures);
    file.setReals("positions", {replicas, particles, 3}, positions);
    file.setReals("forces", {replicas, particles, 3}, forces);
    file.setReals("energies", {replicas}, energies);
    file.setReals("step_size", {}, {stepSize});
    file.setIntegers("step_count", {}, {stepCount});
}

void BatchedIntegrator::load(const TensorFile& file) {
    const int64_t replicas = getNumReplicas(), particles = getNumParticles();
    if (file.getMetadata("integrator") != getName())
        file.fail("it is not one of a " + getName());
    if (file.getReals("masses", {particles}) != masses)
        file.fail("it is one of particles with other masses");
    const uint64_t newSeed = readNumber(file, "seed"), newFirst = readNumber(file, "first_replica");
    const vector<double> newTemperatures = file.getReals("temperatures", {replicas});
    const vector<double> newPositions = file.getReals("positions", {replicas, particles, 3});
    const vector<double> newForces = file.getReals("forces", {replicas, particles, 3});
    const vector<double> newEnergies = file.getReals("energies", {replicas});
    const double newStepSize = file.getReals("step_size", {})[0];
    const int64_t newCount = file.getIntegers("step_count", {}, 0, numeric_limits<int64_t>::max())[0];
    checkTemperatures(newTemperatures);
    checkPositive(newStepSize, "step size");
    if (!newPositions.empty()) {
        const vector<double> found = potential.computeEnergies(newPositions);
        for (size_t k = 0; k < found.size(); k++)
            if (!(abs(found[k] - newEnergies[k]) <= 0.1 * BOLTZ * newTemperatures[k] + 1e-5 * abs(found[k])))
                file.fail(
                    "its energies are not those of this potential: it was made with another System, or with "
                    "other parameters or force groups");
    }
    loadOwn(file);
    seed = newSeed;
    firstReplica = newFirst;
    for (size_t k = 0; k < keys.size(); k++)
        keys[k] = makeReplicaKey(seed, firstReplica + k);
    temperatures = newTemperatures;
    positions = newPositions;
    forces = newForces;
    energies = newEnergies;
    generation = potential.getGeneration();
    stepSize = newStepSize;
    stepCount = newCount;
}

}  // namespace OpenMMFlow
