#include "ReferenceBatchedPotentialKernel.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "openmmflow/internal/KernelProperties.h"
#include "shared/DoubleExpressionMachine.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace shared {
namespace {
#include "shared/PotentialEvaluator.h"
}
}  // namespace shared

struct ReferenceBatchedPotentialKernel::Potential {
    explicit Potential(const PotentialModel& model)
        : evaluator(model), position(model.numParticles), force(model.numParticles) {}
    shared::PotentialEvaluator evaluator;
    vector<shared::real3> position, force;
};

ReferenceBatchedPotentialKernel::ReferenceBatchedPotentialKernel(const string& name, const Platform& platform)
    : BatchedPotentialKernel(name, platform) {}

ReferenceBatchedPotentialKernel::~ReferenceBatchedPotentialKernel() = default;

void ReferenceBatchedPotentialKernel::initialize(const PotentialModel& model,
                                                 const map<string, string>& given) {
    properties = completeProperties("Reference", given, {{"Precision", "double"}});
    getPrecision(properties, {"double"});
    potential = make_unique<Potential>(model);
}

map<string, string> ReferenceBatchedPotentialKernel::getProperties() const {
    return properties;
}

void ReferenceBatchedPotentialKernel::compute(long long count, const double* positions, double* energies,
                                              double* forces) {
    const size_t size = potential->position.size() * sizeof(shared::real3) / sizeof(double);
    for (long long k = 0; k < count; k++) {
        memcpy(potential->position.data(), positions + k * size, size * sizeof(double));
        shared::WideSum energy;
        if (forces == nullptr)
            potential->evaluator.evaluate<false>(potential->position.data(), nullptr, energy);
        else {
            fill(potential->force.begin(), potential->force.end(), shared::make_real3(0, 0, 0));
            potential->evaluator.evaluate<true>(potential->position.data(), potential->force.data(), energy);
            memcpy(forces + k * size, potential->force.data(), size * sizeof(double));
        }
        energies[k] = energy.get();
    }
}

}  // namespace OpenMMFlow
