#include "AnnealingPath.h"
#include "RemoveAverage.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "openmm/OpenMMException.h"
#include "openmm/reference/SimTKOpenMMRealType.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

bool AnnealingStates::isAllowed(long long k) const {
    return isfinite(logQ[k]) && isfinite(reducedPotentials[k]);
}

AnnealingStates AnnealingStates::slice(long long first, long long count) const {
    auto get = [=](const vector<double>& values, long long size) {
        return vector<double>(values.begin() + first * size, values.begin() + (first + count) * size);
    };
    const long long size = positions.size() / logQ.size();
    return {get(positions, size), get(logQ, 1), get(reducedPotentials, 1), get(flowGradients, size),
            get(targetGradients, size)};
}

void AnnealingStates::replace(long long k, const AnnealingStates& other, long long from) {
    const size_t size = positions.size() / logQ.size();
    logQ[k] = other.logQ[from];
    reducedPotentials[k] = other.reducedPotentials[from];
    copy_n(&other.positions[size * from], size, &positions[size * k]);
    copy_n(&other.flowGradients[size * from], size, &flowGradients[size * k]);
    copy_n(&other.targetGradients[size * from], size, &targetGradients[size * k]);
}

AnnealingPath::AnnealingPath(FlowContext& flow, BatchedPotential& potential, double temperature,
                             EnergyVerifier* verifier)
    : flow(flow), potential(potential), temperature(temperature), verifier(verifier) {
    if (flow.getFlow().getNumAugmentedParticles() > 0)
        throw OpenMMException(
            "Annealing needs log q itself, and an augmented flow gives estimates of it only: use "
            "sample(), or a flow without augmented particles.");
}

int AnnealingPath::getNumParticles() const {
    return potential.getNumParticles();
}

AnnealingStates AnnealingPath::draw(long long count, uint64_t seed, uint64_t first) {
    AnnealingStates states;
    vector<double> logQ;
    flow.sample(count, states.positions, logQ, seed, first);
    evaluate(states);
    // Positions off the support may look like others that are on it, such as those with a bond reversed.
    for (long long k = 0; k < count; k++)
        if (!isfinite(logQ[k]))
            states.logQ[k] = -numeric_limits<double>::infinity();
    return states;
}

void AnnealingPath::evaluate(AnnealingStates& states) {
    flow.computeLogDensityGradient(states.positions, states.logQ, states.flowGradients);
    potential.computeEnergiesAndForces(states.positions, states.reducedPotentials, states.targetGradients);
    if (verifier != nullptr)
        verifier->verify(states.positions, states.reducedPotentials);
    const double beta = 1 / (BOLTZ * temperature);
    for (vector<double>* values : {&states.reducedPotentials, &states.targetGradients})
        for (double& value : *values)
            value *= beta;
}

double AnnealingPath::getLogDensity(const AnnealingStates& states, long long k, double beta) {
    return (1 - beta) * states.logQ[k] - beta * states.reducedPotentials[k];
}

void AnnealingPath::computeGradient(const AnnealingStates& states, long long k, double beta,
                                    double* gradient) const {
    const size_t size = 3 * getNumParticles();
    for (size_t i = 0; i < size; i++)
        gradient[i] =
            (1 - beta) * states.flowGradients[size * k + i] + beta * states.targetGradients[size * k + i];
    removeAverage(gradient, getNumParticles());
}

}  // namespace OpenMMFlow
