#include "ReferenceCouplingFlow.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "openmmflow/internal/InternalFlowModel.h"
#include "shared/DoubleMath.h"
#include "shared/noise.h"

using namespace std;

namespace OpenMMFlow {

namespace shared {
namespace {
#include "shared/equivariant/DoubleMatrix.h"
#include "shared/equivariant/Items.h"

#include "shared/equivariant/ResidualNetwork.h"

#include "shared/equivariant/Network.h"
#include "shared/equivariant/Transforms.h"

#include "shared/equivariant/Coupling.h"

#include "shared/equivariant/CouplingFlow.h"
}  // namespace
}  // namespace shared

using namespace shared;

struct ReferenceCouplingFlow::Implementation {
    explicit Implementation(const EquivariantCouplingModel& model)
        : model(model),
          flow(model),
          state(flow),
          numPositions(model.getNumParticles() + model.getNumAugmentedParticles()) {}
    double evaluate(const double* positions, bool isKept) {
        const int n = model.getNumParticles();
        double center[3] = {0, 0, 0};
        for (int i = 0; i < 3 * n; i++)
            center[i % 3] += positions[i] / n;
        for (int i = 0; i < 3 * numPositions; i++) {
            const int particle = i / 3, axis = i % 3;
            const bool isUsed = axis < model.getParticles().dimensions;
            state.getPoints().at(3 * (particle / n) + axis, particle % n) =
                isUsed ? (positions[i] - center[axis]) / model.getOptions().lengthUnit : 0;
        }
        state.evaluate(isKept);
        return state.getLogDensity(0).get();
    }
    bool isFinite(const double* positions) const {
        for (int i = 0; i < 3 * numPositions; i++)
            if (i % 3 < model.getParticles().dimensions && !isfinite(positions[i]))
                return false;
        return true;
    }
    const EquivariantCouplingModel& model;
    CouplingFlow flow;
    CouplingFlowState state;
    int numPositions;
};

ReferenceCouplingFlow::ReferenceCouplingFlow(const Flow& flow)
    : flow(flow),
      impl(make_unique<Implementation>(dynamic_cast<const EquivariantCouplingModel&>(this->flow.getModel()))) {
}

ReferenceCouplingFlow::~ReferenceCouplingFlow() = default;

double ReferenceCouplingFlow::sample(uint64_t seed, uint64_t index, double* positions) const {
    vector<double> normals;
    for (int block = 0; (int)normals.size() < impl->state.getNumNormals(); block++) {
        const UniformPair u = uniformPair(seed, index, NoiseStream::Normal, block);
        const NormalPair pair = boxMuller(u.first, u.second);
        normals.insert(normals.end(), {pair.first, pair.second});
    }
    impl->state.sample([&](int n, int) { return normals[n]; });
    const int n = impl->model.getNumParticles();
    const Items& points = impl->state.getPoints();
    double center[3] = {0, 0, 0};
    for (int i = 0; i < 3 * n; i++)
        center[i % 3] += points.at(i % 3, i / 3) / n;
    for (int i = 0; i < 3 * impl->numPositions; i++)
        positions[i] = (points.at(3 * (i / 3 / n) + i % 3, i / 3 % n) - center[i % 3])
                       * impl->model.getOptions().lengthUnit;
    const double logQ = impl->state.getLogDensity(0).get();
    if (isfinite(logQ) && impl->isFinite(positions))
        return logQ;
    // A frame was degenerate.
    fill_n(positions, 3 * impl->numPositions, 0.0);
    return numeric_limits<double>::infinity();
}

double ReferenceCouplingFlow::computeLogDensity(const double* positions, double* gradient) const {
    const double logQ = impl->evaluate(positions, gradient != nullptr);
    if (!isfinite(logQ)) {
        if (gradient != nullptr)
            fill_n(gradient, 3 * impl->numPositions, numeric_limits<double>::quiet_NaN());
        return impl->isFinite(positions) ? -numeric_limits<double>::infinity()
                                         : numeric_limits<double>::quiet_NaN();
    }
    if (gradient != nullptr) {
        const double worth = 1;
        const int n = impl->model.getNumParticles();
        const Items& adjoint = impl->state.backpropagate(&worth, nullptr);
        for (int i = 0; i < 3 * impl->numPositions; i++)
            gradient[i] = adjoint.at(3 * (i / 3 / n) + i % 3, i / 3 % n) / impl->model.getOptions().lengthUnit;
    }
    return logQ;
}

void ReferenceCouplingFlow::addParameterGradient(const double* positions, vector<double>& gradient) const {
    const double worth = 1;
    WeightGradient sum(gradient.data());
    impl->evaluate(positions, true);
    impl->state.backpropagate(&worth, &sum);
}

}  // namespace OpenMMFlow
