#include "openmmflow/BatchedHMCIntegrator.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "ReplicaNoise.h"
#include "openmm/OpenMMException.h"
#include "openmm/reference/SimTKOpenMMRealType.h"
#include "openmmflow/internal/TensorFile.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

void checkSettings(long long stepsPerProposal, double jitter) {
    if (stepsPerProposal < 1)
        throw OpenMMException("A proposal needs at least one step, not " + to_string(stepsPerProposal) + ".");
    if (!(jitter >= 0 && jitter < 1))
        throw OpenMMException("The jitter of the step size must be at least 0 and less than 1, and "
                              + to_string(jitter) + " is not.");
}

}  // namespace

BatchedHMCIntegrator::BatchedHMCIntegrator(const System& system, BatchedPotential& potential,
                                           const vector<double>& temperatures, double stepSize,
                                           int stepsPerProposal, uint64_t seed, uint64_t firstReplica,
                                           const map<string, string>& properties)
    : BatchedIntegrator(system, potential, temperatures, stepSize, seed, firstReplica, properties),
      velocities(offset(getNumReplicas())),
      stepSizes(getNumReplicas()),
      oldHamiltonians(getNumReplicas()),
      energyErrors(getNumReplicas()),
      stepsPerProposal(stepsPerProposal) {
    checkSettings(stepsPerProposal, jitter);
    resetStatistics();
}

void BatchedHMCIntegrator::setStepSizeJitter(double jitter) {
    checkSettings(stepsPerProposal, jitter);
    this->jitter = jitter;
}

void BatchedHMCIntegrator::resetStatistics() {
    numProposals = 0;
    acceptances.assign(getNumReplicas(), 0);
    nonFinite.assign(getNumReplicas(), 0);
}

double BatchedHMCIntegrator::getKineticEnergy(int replica) const {
    const double* v = &velocities[offset(replica)];
    double sum = 0;
    for (size_t i = 0; i < masses.size(); i++)
        sum += masses[i] * (v[3 * i] * v[3 * i] + v[3 * i + 1] * v[3 * i + 1] + v[3 * i + 2] * v[3 * i + 2]);
    return 0.5 * sum;
}

void BatchedHMCIntegrator::kick(int replica, double time) {
    double* v = &velocities[offset(replica)];
    const double* force = &forces[offset(replica)];
    for (size_t i = 0; i < masses.size(); i++)
        for (size_t j = 3 * i; j < 3 * i + 3; j++)
            v[j] += time * inverseMasses[i] * force[j];
}

void BatchedHMCIntegrator::begin(int replica) {
    drawVelocities(replica, stepCount, &velocities[offset(replica)]);
    oldHamiltonians[replica] = energies[replica] + getKineticEnergy(replica);
    const double uniform =
        shared::uniformPair(keys[replica], stepCount, shared::NoiseStream::Metropolis, 0).second;
    stepSizes[replica] = stepSize * (1 + jitter * (2 * uniform - 1));
}

void BatchedHMCIntegrator::integrate() {
    for (int i = 0; i < stepsPerProposal; i++) {
        forEachReplica([&](int replica) {
            // Two half steps of the velocities at a time, but for the first and the last.
            kick(replica, (i == 0 ? 0.5 : 1) * stepSizes[replica]);
            drift(replica, stepSizes[replica], &velocities[offset(replica)]);
            center(replica);
        });
        evaluate();
    }
    forEachReplica([&](int replica) { kick(replica, 0.5 * stepSizes[replica]); });
}

double BatchedHMCIntegrator::getAcceptanceProbability(int replica) const {
    const double error = energyErrors[replica];
    return isfinite(error) ? min(1.0, exp(-error / (BOLTZ * temperatures[replica]))) : 0;
}

void BatchedHMCIntegrator::decide(int replica) {
    energyErrors[replica] = energies[replica] + getKineticEnergy(replica) - oldHamiltonians[replica];
    nonFinite[replica] += !isfinite(energyErrors[replica]);
    const double uniform =
        shared::uniformPair(keys[replica], stepCount, shared::NoiseStream::Metropolis, 0).first;
    if (uniform < getAcceptanceProbability(replica)) {
        acceptances[replica]++;
        return;
    }
    const size_t size = offset(1);
    copy_n(&oldPositions[offset(replica)], size, &positions[offset(replica)]);
    copy_n(&oldForces[offset(replica)], size, &forces[offset(replica)]);
    energies[replica] = oldEnergies[replica];
}

void BatchedHMCIntegrator::propose() {
    oldPositions = positions;
    oldForces = forces;
    oldEnergies = energies;
    forEachReplica([&](int replica) { begin(replica); });
    integrate();
    forEachReplica([&](int replica) { decide(replica); });
    stepCount++;
    numProposals++;
}

void BatchedHMCIntegrator::step(long long proposals) {
    prepare(proposals);
    for (long long i = 0; i < proposals; i++)
        propose();
}

vector<BatchedHMCIntegrator::PilotProposal> BatchedHMCIntegrator::tuneStepSize(double acceptance,
                                                                               int proposals) {
    if (!(acceptance > 0 && acceptance < 1) || proposals < 1)
        throw OpenMMException(
            "A pilot run needs an acceptance between 0 and 1 to aim at, and at least one proposal.");
    prepare(proposals);
    // The constants and names are those of the paper.
    const double gamma = 0.05, t0 = 10, kappa = 0.75, mu = log(10 * stepSize);
    double errorBar = 0, logAverage = 0;
    vector<PilotProposal> record;
    for (int m = 1; m <= proposals; m++) {
        propose();
        double alpha = 0;
        for (int replica = 0; replica < getNumReplicas(); replica++)
            alpha += getAcceptanceProbability(replica) / getNumReplicas();
        record.push_back({stepSize, alpha});
        errorBar += (acceptance - alpha - errorBar) / (m + t0);
        const double logStepSize = mu - sqrt(m) / gamma * errorBar;
        logAverage += pow(m, -kappa) * (logStepSize - logAverage);
        stepSize = exp(logStepSize);
    }
    stepSize = exp(logAverage);
    resetStatistics();
    return record;
}

string BatchedHMCIntegrator::getName() const {
    return "BatchedHMCIntegrator";
}

string BatchedHMCIntegrator::getDescription() const {
    stringstream text;
    text << "HMC, step size " << stepSize << " ps (jitter " << jitter << "), " << stepsPerProposal
         << " steps a proposal";
    return text.str();
}

void BatchedHMCIntegrator::save(TensorFile& file) {
    BatchedIntegrator::save(file);
    file.setIntegers("steps_per_proposal", {}, {stepsPerProposal});
    file.setReals("step_size_jitter", {}, {jitter});
    file.setIntegers("num_proposals", {}, {numProposals});
    file.setIntegers("acceptances", {getNumReplicas()}, {acceptances.begin(), acceptances.end()});
    file.setIntegers("non_finite", {getNumReplicas()}, {nonFinite.begin(), nonFinite.end()});
}

void BatchedHMCIntegrator::loadOwn(const TensorFile& file) {
    const int64_t most = numeric_limits<int64_t>::max();
    const int64_t newSteps = file.getIntegers("steps_per_proposal", {}, 1, numeric_limits<int>::max())[0];
    const double newJitter = file.getReals("step_size_jitter", {})[0];
    const int64_t newProposals = file.getIntegers("num_proposals", {}, 0, most)[0];
    const vector<int64_t> newAcceptances = file.getIntegers("acceptances", {getNumReplicas()}, 0, most);
    const vector<int64_t> newNonFinite = file.getIntegers("non_finite", {getNumReplicas()}, 0, most);
    checkSettings(newSteps, newJitter);
    stepsPerProposal = (int)newSteps;
    jitter = newJitter;
    numProposals = newProposals;
    acceptances.assign(newAcceptances.begin(), newAcceptances.end());
    nonFinite.assign(newNonFinite.begin(), newNonFinite.end());
}

}  // namespace OpenMMFlow
