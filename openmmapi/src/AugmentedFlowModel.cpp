#include "openmmflow/internal/AugmentedFlowModel.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "openmm/OpenMMException.h"

namespace OpenMMFlow {

using std::string;
using std::to_string;
using std::vector;

namespace {

[[noreturn]] void throwInvalidAugmentedFlow(const string& reason) {
    throw OpenMM::OpenMMException("Invalid augmented flow: " + reason + ".");
}

void checkScale(const char* subject, double scale) {
    // Negated, so that NaN fails too.
    if (!(scale >= 1e-6 && scale <= 1e6))
        throwInvalidAugmentedFlow("the " + string(subject) + " must lie in 1e-6 to 1e6 nm");
}

void checkBonds(const vector<std::pair<int, int>>& bonds, int numParticles) {
    vector<int> fragment(numParticles);
    for (int i = 0; i < numParticles; i++)
        fragment[i] = i;
    for (const auto& [i, j] : bonds) {
        if (i < 0 || j < 0 || i >= numParticles || j >= numParticles || i == j)
            throwInvalidAugmentedFlow("the bond between particles " + to_string(i) + " and " + to_string(j)
                                      + " of its base makes no sense");
        const int from = fragment[i], to = fragment[j];
        std::replace(fragment.begin(), fragment.end(), from, to);
    }
    for (int i = 0; i < numParticles; i++)
        if (fragment[i] != fragment[0])
            throwInvalidAugmentedFlow("the bonds of its base do not connect particles 0 and " + to_string(i));
}

}  // namespace

AugmentedFlowModel::AugmentedFlowModel(const Particles& particles, const Base& base)
    : particles(particles), base(base), numTypes(0) {
    const vector<int>& types = particles.types;
    if (types.size() < 2 || types.size() > 1000)
        throwInvalidAugmentedFlow("it must have 2 to 1000 particles, and " + to_string(types.size())
                                  + " does not lie there");
    if (particles.dimensions != 2 && particles.dimensions != 3)
        throwInvalidAugmentedFlow("it must have 2 or 3 dimensions, not " + to_string(particles.dimensions));
    if (particles.copies < 1 || particles.copies > 15)
        throwInvalidAugmentedFlow("it must have 1 to 15 augmented copies, not "
                                  + to_string(particles.copies));
    for (int type : types) {
        if (type < 0 || type >= (int)types.size())
            throwInvalidAugmentedFlow("the types of particles must lie in 0 to "
                                      + to_string(types.size() - 1));
        numTypes = std::max(numTypes, type + 1);
    }
    checkScale("scale of the augmented particles", particles.augmentedScale);
    checkScale("scale of the base", base.scale);
    checkScale("scale of the augmented particles in the base", base.augmentedScale);
    if (!base.bonds.empty())
        checkBonds(base.bonds, (int)types.size());
    prepareBase();
}

void AugmentedFlowModel::prepareBase() {
    const int n = getNumParticles();
    const double stiffness = 1 / (base.scale * base.scale);
    precision.assign((size_t)n * n, 0);
    if (base.bonds.empty())
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                precision[i * n + j] = stiffness * ((i == j) - 1.0 / n);
    for (const auto& [i, j] : base.bonds) {
        precision[i * n + i] += stiffness;
        precision[j * n + j] += stiffness;
        precision[i * n + j] -= stiffness;
        precision[j * n + i] -= stiffness;
    }
    // With a spring for the centre it is positive definite, A = L L^T, and x = L^-T z has covariance A^-1;
    // what the spring adds is the centre, which is removed.
    vector<double> factor(precision);
    for (double& element : factor)
        element += stiffness / n;
    double logDeterminant = -std::log(stiffness);
    for (int j = 0; j < n; j++) {
        for (int k = 0; k < j; k++)
            for (int i = j; i < n; i++)
                factor[i * n + j] -= factor[i * n + k] * factor[j * n + k];
        const double pivot = std::sqrt(factor[j * n + j]);
        for (int i = j; i < n; i++)
            factor[i * n + j] /= pivot;
        logDeterminant += 2 * std::log(pivot);
    }
    samplingMatrix.assign((size_t)n * n, 0);
    for (int column = 0; column < n; column++)
        for (int i = column; i >= 0; i--) {
            double sum = i == column;
            for (int k = i + 1; k <= column; k++)
                sum -= factor[k * n + i] * samplingMatrix[k * n + column];
            samplingMatrix[i * n + column] = sum / factor[i * n + i];
        }
    const double log2Pi = std::log(2 * M_PI);
    logNormalization = particles.dimensions
                       * (0.5 * logDeterminant - 0.5 * (n - 1) * log2Pi
                          - n * particles.copies * (0.5 * log2Pi + std::log(base.augmentedScale)));
}

double AugmentedFlowModel::computeLogConditional(const double* positions, double* gradient,
                                                 double factor) const {
    const int n = getNumParticles(), dimensions = particles.dimensions;
    const double stiffness = 1 / (particles.augmentedScale * particles.augmentedScale);
    double squares = 0;
    for (int i = 0; i < n; i++)
        for (int axis = 0; axis < dimensions; axis++)
            for (int copy = 1; copy <= particles.copies; copy++) {
                const int x = 3 * i + axis, a = 3 * copy * n + x;
                const double difference = positions[a] - positions[x];
                squares += difference * difference;
                if (gradient != nullptr) {
                    gradient[x] += factor * stiffness * difference;
                    gradient[a] -= factor * stiffness * difference;
                }
            }
    const int count = n * dimensions * particles.copies;
    return -0.5 * stiffness * squares
           - count * (0.5 * std::log(2 * M_PI) + std::log(particles.augmentedScale));
}

}  // namespace OpenMMFlow
