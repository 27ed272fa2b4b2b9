#include "ReferenceCouplingFlow.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "shared/DoubleMath.h"
#include "shared/SplineOffset.h"
#include "shared/noise.h"

using namespace std;

namespace OpenMMFlow {

namespace shared {
namespace {
#include "shared/equivariant/Collinearity.h"
#include "shared/equivariant/DoubleMatrix.h"
#include "shared/equivariant/Items.h"

#include "shared/equivariant/ResidualNetwork.h"

#include "shared/equivariant/Network.h"

#include "shared/equivariant/Edges.h"

#include "shared/equivariant/NetworkState.h"
#include "shared/equivariant/Transforms.h"

#include "shared/equivariant/Coupling.h"

#include "shared/equivariant/CouplingFlow.h"
}  // namespace
}  // namespace shared

using namespace shared;

struct ReferenceCouplingFlow::Implementation {
    explicit Implementation(const EquivariantCouplingModel& model)
        : flow(model),
          state(flow),
          numParticles(model.getNumParticles()),
          numNumbers(3 * numParticles * model.getNumClouds()),
          dimensions(model.getParticles().dimensions),
          unit(model.getOptions().lengthUnit) {}
    double& at(int i) { return state.getPoints().at(getRow(i), getParticle(i)); }
    int getRow(int i) const { return 3 * (i / 3 / numParticles) + i % 3; }
    int getParticle(int i) const { return i / 3 % numParticles; }
    bool isUsed(int i) const { return i % 3 < dimensions; }
    /** Set the points, with the centre of x at the origin. */
    void load(const double* positions) {
        for (int i = 0; i < numNumbers; i++)
            at(i) = isUsed(i) ? positions[i] / unit : 0;
        center();
    }
    void center() {
        double sum[3] = {0, 0, 0};
        for (int i = 0; i < 3 * numParticles; i++)
            sum[i % 3] += at(i);
        for (int i = 0; i < numNumbers; i++)
            at(i) -= sum[i % 3] / numParticles;
    }
    void store(double* positions) {
        center();
        for (int i = 0; i < numNumbers; i++)
            positions[i] = unit * at(i);
    }
    double getLogDensity() const { return state.getLogDensity(0).get(); }
    bool isFinite(const double* positions) const {
        for (int i = 0; i < numNumbers; i++)
            if (isUsed(i) && !isfinite(positions[i]))
                return false;
        return true;
    }
    CouplingFlow flow;
    CouplingFlowState state;
    int numParticles, numNumbers, dimensions;
    double unit;
};

ReferenceCouplingFlow::ReferenceCouplingFlow(const Flow& flow)
    : flow(flow),
      impl(
          make_unique<Implementation>(dynamic_cast<const EquivariantCouplingModel&>(this->flow.getModel()))) {
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
    impl->store(positions);
    const double logQ = impl->getLogDensity();
    if (isfinite(logQ) && impl->isFinite(positions))
        return logQ;
    // A frame was degenerate.
    fill_n(positions, impl->numNumbers, 0.0);
    return numeric_limits<double>::infinity();
}

double ReferenceCouplingFlow::transform(const double* base, double* positions) const {
    impl->load(base);
    impl->state.transform();
    impl->store(positions);
    return impl->getLogDensity();
}

double ReferenceCouplingFlow::invert(const double* positions, double* base) const {
    impl->load(positions);
    impl->state.evaluate(false);
    impl->store(base);
    return impl->getLogDensity();
}

double ReferenceCouplingFlow::computeLogDensity(const double* positions, double* gradient) const {
    impl->load(positions);
    impl->state.evaluate(gradient != nullptr);
    const double logQ = impl->getLogDensity();
    if (!isfinite(logQ)) {
        if (gradient != nullptr)
            fill_n(gradient, impl->numNumbers, numeric_limits<double>::quiet_NaN());
        return impl->isFinite(positions) ? -numeric_limits<double>::infinity()
                                         : numeric_limits<double>::quiet_NaN();
    }
    if (gradient != nullptr) {
        const double worth = 1;
        const Items& adjoint = impl->state.backpropagate({&worth}, nullptr);
        for (int i = 0; i < impl->numNumbers; i++)
            gradient[i] = adjoint.at(impl->getRow(i), impl->getParticle(i)) / impl->unit;
    }
    return logQ;
}

void ReferenceCouplingFlow::setParameters(const double* parameters) {
    impl->flow.setParameters(parameters);
}

void ReferenceCouplingFlow::addParameterGradient(const double* positions, double worth, double penaltyWorth,
                                                 double& logQ, double& penalty, double* gradient) const {
    const double numFrames = impl->state.countFrames(), frameWorth = penaltyWorth / numFrames;
    WeightGradient sum(gradient);
    impl->load(positions);
    impl->state.evaluate(true);
    logQ = impl->getLogDensity();
    impl->state.backpropagate({&worth, penaltyWorth != 0 ? &frameWorth : nullptr}, &sum);
    penalty = impl->state.getPenalty(0).get() / numFrames;
}

}  // namespace OpenMMFlow
