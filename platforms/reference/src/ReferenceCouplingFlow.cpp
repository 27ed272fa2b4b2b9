#include "ReferenceCouplingFlow.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <type_traits>

#include "openmmflow/internal/AugmentedCouplingModel.h"
#include "openmmflow/internal/EquivariantCouplingModel.h"
#include "shared/DoubleMath.h"
#include "shared/JointLayout.h"
#include "shared/SplineOffset.h"
#include "shared/noise.h"

using namespace std;

namespace OpenMMFlow {

namespace shared {
namespace {
namespace wide = OpenMMFlow::shared;

#include "shared/equivariant/Collinearity.h"
#include "shared/equivariant/DoubleMatrix.h"
#include "shared/equivariant/Worth.h"

#include "shared/equivariant/Items.h"

#include "shared/equivariant/ParticleLayout.h"

#include "shared/equivariant/Normalization.h"

#include "shared/equivariant/ResidualNetwork.h"

#include "shared/equivariant/Network.h"

#include "shared/equivariant/Edges.h"

#include "shared/equivariant/NetworkState.h"

#include "shared/equivariant/CoordinateFunction.h"
#include "shared/equivariant/Transforms.h"

#include "shared/equivariant/Coupling.h"

#include "shared/augmented/Attention.h"

#include "shared/augmented/Transformer.h"

#include "shared/augmented/ElementwiseCoupling.h"

#include "shared/equivariant/CouplingFlow.h"
}  // namespace
}  // namespace shared

using namespace shared;

/** One sample on its way through a flow of any family. */
struct ReferenceCouplingFlow::Implementation {
    Implementation(const CouplingModel& model, double unit)
        : layout(model, unit), scratch(layout.getNumNumbers()) {}
    virtual ~Implementation() = default;
    virtual Items& getPoints() = 0;
    virtual int getNumNormals() const = 0;
    virtual void sample(const vector<double>& normals) = 0;
    virtual void transform() = 0;
    virtual void evaluate(bool isKept) = 0;
    virtual const Items& backpropagate(const Worth& worth, WeightGradient* gradient) = 0;
    virtual double getLogDensity() const = 0;
    virtual double getPenalty() const = 0;
    virtual int countTransforms() const = 0;
    virtual void setParameters(const double* parameters) = 0;
    /** Set the points, with the centre of x at the origin. */
    void load(const double* positions) {
        copy_n(positions, scratch.size(), scratch.begin());
        layout.center(scratch.data());
        for (int i = 0; i < layout.getNumNumbers(); i++)
            getPoints().at(layout.getRow(i), layout.getParticle(i)) =
                layout.isUsed(i) ? scratch[i] / layout.unit : 0;
    }
    void store(const Items& items, double factor, double* result) const {
        for (int i = 0; i < layout.getNumNumbers(); i++)
            result[i] = factor * items.at(layout.getRow(i), layout.getParticle(i));
    }
    void storePoints(double* positions) {
        store(getPoints(), layout.unit, positions);
        layout.center(positions);
    }
    JointLayout layout;
    vector<double> scratch;
};

namespace {

template <class Family>
struct FlowOfFamily : public ReferenceCouplingFlow::Implementation {
    explicit FlowOfFamily(const typename Family::Model& model)
        : Implementation(model, model.getOptions().lengthUnit), flow(model), state(flow) {}
    Items& getPoints() override { return state.getPoints(); }
    int getNumNormals() const override { return state.getNumNormals(); }
    void sample(const vector<double>& normals) override {
        state.sample([&](int n, int, int) { return normals[n]; });
    }
    void transform() override { state.transform(); }
    void evaluate(bool isKept) override { state.evaluate(isKept); }
    const Items& backpropagate(const Worth& worth, WeightGradient* gradient) override {
        return state.backpropagate(worth, gradient);
    }
    double getLogDensity() const override { return state.getLogDensity(0).get(); }
    double getPenalty() const override { return state.getPenalty(0).get(); }
    int countTransforms() const override { return state.countTransforms(); }
    void setParameters(const double* parameters) override { flow.setParameters(parameters); }
    CouplingFlow<Family> flow;
    CouplingFlowState<Family> state;
};

}  // namespace

ReferenceCouplingFlow::ReferenceCouplingFlow(const Flow& flow) : flow(flow) {
    const FlowModel& model = this->flow.getModel();
    if (const auto* augmented = dynamic_cast<const AugmentedCouplingModel*>(&model))
        impl = make_unique<FlowOfFamily<AugmentedFamily>>(*augmented);
    else
        impl = make_unique<FlowOfFamily<EquivariantFamily>>(
            dynamic_cast<const EquivariantCouplingModel&>(model));
}

ReferenceCouplingFlow::~ReferenceCouplingFlow() = default;

double ReferenceCouplingFlow::sample(uint64_t seed, uint64_t index, double* positions) const {
    vector<double> normals;
    for (int block = 0; (int)normals.size() < impl->getNumNormals(); block++) {
        const UniformPair u = uniformPair(seed, index, NoiseStream::Normal, block);
        const NormalPair pair = boxMuller(u.first, u.second);
        normals.insert(normals.end(), {pair.first, pair.second});
    }
    impl->sample(normals);
    impl->storePoints(positions);
    const double logQ = impl->getLogDensity();
    if (isfinite(logQ) && impl->layout.isFinite(positions))
        return logQ;
    // A frame was degenerate.
    fill_n(positions, impl->layout.getNumNumbers(), 0.0);
    return numeric_limits<double>::infinity();
}

double ReferenceCouplingFlow::transform(const double* base, double* positions) const {
    impl->load(base);
    impl->transform();
    impl->storePoints(positions);
    return impl->getLogDensity();
}

double ReferenceCouplingFlow::invert(const double* positions, double* base) const {
    impl->load(positions);
    impl->evaluate(false);
    impl->storePoints(base);
    return impl->getLogDensity();
}

double ReferenceCouplingFlow::computeLogDensity(const double* positions, double* gradient) const {
    impl->load(positions);
    impl->evaluate(gradient != nullptr);
    const double logQ = impl->getLogDensity();
    if (!isfinite(logQ)) {
        if (gradient != nullptr)
            fill_n(gradient, impl->layout.getNumNumbers(), numeric_limits<double>::quiet_NaN());
        return impl->layout.isFinite(positions) ? -numeric_limits<double>::infinity()
                                                : numeric_limits<double>::quiet_NaN();
    }
    if (gradient != nullptr) {
        const double worth = 1;
        impl->store(impl->backpropagate({&worth}, nullptr), 1 / impl->layout.unit, gradient);
    }
    return logQ;
}

void ReferenceCouplingFlow::setParameters(const double* parameters) {
    impl->setParameters(parameters);
}

void ReferenceCouplingFlow::addParameterGradient(const double* positions, double worth, double penaltyWorth,
                                                 double& logQ, double& penalty, double* gradient) const {
    const double numTransforms = impl->countTransforms(), frameWorth = penaltyWorth / numTransforms;
    WeightGradient sum(gradient);
    impl->load(positions);
    impl->evaluate(true);
    logQ = impl->getLogDensity();
    impl->backpropagate({&worth, penaltyWorth != 0 ? &frameWorth : nullptr}, &sum);
    penalty = impl->getPenalty() / numTransforms;
}

}  // namespace OpenMMFlow
