#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "../CpuFlow.h"
#include "LaneMatrix.h"
#include "LaneWeightGradient.h"
#include "NoiseBlock.h"
#include "Sigmoid.h"
#include "WideMath.h"
#include "WideSum.h"
#include "openmmflow/internal/AugmentedCouplingModel.h"
#include "openmmflow/internal/EquivariantCouplingModel.h"
#include "shared/JointLayout.h"
#include "shared/SplineOffset.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

namespace wide {
namespace {

#include "shared/equivariant/CoordinateFunction.h"
#include "shared/equivariant/Transforms.h"

}  // namespace
}  // namespace wide

namespace {

#include "shared/equivariant/Collinearity.h"
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

#include "SingleCoupling.h"

#include "shared/augmented/Attention.h"

#include "shared/augmented/Transformer.h"

#include "shared/augmented/ElementwiseCoupling.h"

#include "shared/equivariant/CouplingFlow.h"

/** What a family has for one sample, or what it has for many. */
template <class Family>
struct SingleStateOf {
    using type = typename Family::State;
};
template <>
struct SingleStateOf<EquivariantFamily> {
    using type = SingleCouplingState;
};

/** At most `mostTiles` tiles of samples on their way through a coupling flow, in the arrays of CpuFlowBlock.
 */
template <class Family, class FlowState>
class CouplingTiles {
public:
    CouplingTiles(const CouplingFlow<Family>& flow, int mostTiles)
        : state(flow),
          layout(flow.model, flow.model.getOptions().lengthUnit),
          numNumbers(layout.getNumNumbers()),
          numNormals((state.getNumNormals() + 1) / 2 * 2),
          columns(mostTiles * TILE),
          normals((size_t)numNormals * columns) {}
    int getMostSamples() const { return columns; }
    void sample(int count, uint64_t seed, uint64_t first, double* positions, double* logQ) {
        // Samples that are missing have some noise of others.
        const int drawn = (count + LANES - 1) / LANES * LANES;
        lanes_double::drawNoise(seed, first, drawn, columns, numNormals, normals.data(), 0, nullptr);
        state.setNumTiles(countTiles(count));
        state.sample([&](int n, int t, int h) {
            typename FlowState::Points::Real z;
            for (int lane = 0; lane < LANES; lane++)
                wide::setLane(z, lane, normals[(size_t)n * columns + t * TILE + h * LANES + lane]);
            return z;
        });
        for (int s = 0; s < count; s++) {
            double* sample = positions + (size_t)s * numNumbers;
            logQ[s] = getLogDensity(s);
            store(state.getPoints(s / TILE), s % TILE, layout.unit, sample);
            layout.center(sample);
            if (std::isfinite(logQ[s]) && layout.isFinite(sample))
                continue;
            // A frame was degenerate.
            logQ[s] = std::numeric_limits<double>::infinity();
            std::fill_n(sample, numNumbers, 0.0);
        }
    }
    void computeLogDensity(int count, const double* positions, double* logQ) {
        load(count, positions);
        state.evaluate(false);
        storeLogDensity(count, positions, logQ);
    }
    /** Of at most a tile, as what follows: only one is kept. */
    void computeLogDensityGradient(int count, const double* positions, double* logQ, double* gradient) {
        load(count, positions);
        state.evaluate(true);
        storeLogDensity(count, positions, logQ);
        Lanes worth[STRIDE];
        std::fill_n(worth, STRIDE, Lanes(1.0));
        const Items& adjoint = state.backpropagate({worth}, nullptr);
        for (int s = 0; s < count; s++) {
            double* result = gradient + (size_t)s * numNumbers;
            if (std::isfinite(logQ[s]))
                store(adjoint, s, 1 / layout.unit, result);
            else
                std::fill_n(result, numNumbers, std::numeric_limits<double>::quiet_NaN());
        }
    }
    /** As for CpuGradientBlock. */
    void addGradient(int count, const double* positions, const double* worth, double penaltyWorth,
                     double* logQ, double* penalty, WeightGradient* gradient) {
        load(count, positions);
        state.evaluate(true);
        // What stands in for samples that are missing is worth nothing.
        const double numTransforms = state.countTransforms();
        Lanes worths[STRIDE], penaltyWorths[STRIDE];
        for (int s = 0; s < TILE; s++) {
            worths[s / LANES].v[s % LANES] = s < count ? (Scalar)worth[s] : 0;
            penaltyWorths[s / LANES].v[s % LANES] = s < count ? (Scalar)(penaltyWorth / numTransforms) : 0;
        }
        for (int s = 0; s < count; s++)
            logQ[s] = getLogDensity(s);
        state.backpropagate({worths, penaltyWorth != 0 ? penaltyWorths : nullptr}, gradient);
        for (int s = 0; s < count; s++)
            penalty[s] = state.getPenalty(s / LANES).get(s % LANES) / numTransforms;
    }
    int getNumNumbers() const { return numNumbers; }

private:
    int getVector(int i, int s) const { return layout.getParticle(i) * STRIDE + s / LANES; }
    static int countTiles(int count) { return roundUpToTile(count) / TILE; }
    double getLogDensity(int s) const {
        return state.getLogDensity(s % TILE / LANES, s / TILE).get(s % LANES);
    }
    void storeLogDensity(int count, const double* positions, double* logQ) const {
        for (int s = 0; s < count; s++) {
            logQ[s] = getLogDensity(s);
            if (!std::isfinite(logQ[s]))
                logQ[s] = layout.isFinite(positions + (size_t)s * numNumbers)
                              ? -std::numeric_limits<double>::infinity()
                              : std::numeric_limits<double>::quiet_NaN();
        }
    }
    /** In double precision, the centre is taken off before anything is rounded. Samples that are missing
     * repeat the last. */
    void load(int count, const double* positions) {
        std::vector<double> sample(numNumbers);
        state.setNumTiles(countTiles(count));
        for (int s = 0; s < roundUpToTile(count); s++) {
            std::copy_n(positions + (size_t)std::min(s, count - 1) * numNumbers, numNumbers, sample.begin());
            layout.center(sample.data());
            for (int i = 0; i < numNumbers; i++)
                wide::setLane(state.getPoints(s / TILE).at(layout.getRow(i), getVector(i, s % TILE)),
                              s % LANES, layout.isUsed(i) ? sample[i] / layout.unit : 0);
        }
    }
    template <class Array>
    void store(const Array& items, int s, double factor, double* result) const {
        for (int i = 0; i < numNumbers; i++)
            result[i] = factor * wide::getLane(items.at(layout.getRow(i), getVector(i, s)), s % LANES);
    }
    FlowState state;
    JointLayout layout;
    int numNumbers, numNormals, columns;
    std::vector<double> normals;
};

template <class Family>
class CouplingFlowBlock : public CpuFlowBlock, public CpuGradientBlock {
public:
    explicit CouplingFlowBlock(const CouplingFlow<Family>& flow) : flow(flow), tiles(flow, MOST_TILES) {}
    int getTileSize() const override { return TILE; }
    int getBlockSize() const override { return tiles.getMostSamples(); }
    void sample(int count, uint64_t seed, uint64_t first, double* positions, double* logQ) override {
        if (!isFew(count))
            return tiles.sample(count, seed, first, positions, logQ);
        for (int s = 0; s < count; s++)
            getSingle().sample(1, seed, first + s, positions + (size_t)s * tiles.getNumNumbers(), logQ + s);
    }
    void computeLogDensity(int count, const double* positions, double* logQ, double* gradient) override {
        if (gradient == nullptr && !isFew(count))
            return tiles.computeLogDensity(count, positions, logQ);
        const int step = isFew(count) ? 1 : TILE;
        for (int s = 0; s < count; s += step) {
            const size_t start = (size_t)s * tiles.getNumNumbers();
            if (step == TILE)
                tiles.computeLogDensityGradient(std::min(step, count - s), positions + start, logQ + s,
                                                gradient + start);
            else if (gradient != nullptr)
                getSingle().computeLogDensityGradient(1, positions + start, logQ + s, gradient + start);
            else
                getSingle().computeLogDensity(1, positions + start, logQ + s);
        }
    }
    double computeLogDensityOfOne(const double* positions, double* gradient) override {
        double logQ;
        computeLogDensity(1, positions, &logQ, gradient);
        return logQ;
    }
    int getGradientBlockSize() const override { return TILE; }
    void addGradient(int count, const double* positions, const double* worth, double penaltyWorth,
                     double* logQ, double* penalty) override {
        if (!gradient)
            gradient = std::make_unique<WeightGradient>(flow.model.getParameters().size());
        if (!isFew(count))
            return tiles.addGradient(count, positions, worth, penaltyWorth, logQ, penalty, gradient.get());
        for (int s = 0; s < count; s++)
            getSingle().addGradient(1, positions + (size_t)s * tiles.getNumNumbers(), worth + s, penaltyWorth,
                                    logQ + s, penalty + s, gradient.get());
    }
    void moveGradient(double* sum, size_t first, size_t last) override {
        if (gradient)
            gradient->moveTo(sum, first, last);
    }

private:
    /** The weights of a coupling are more than the first cache holds, and those of all more than the second:
     * with 128 samples at a time networks took a tenth to a quarter less time than with one tile. */
    static constexpr int MOST_TILES = 128 / TILE;
    using SingleState = typename SingleStateOf<Family>::type;
    using Single = CouplingTiles<Family, CouplingFlowState<Family, SingleState>>;
    static constexpr bool hasSingle = !std::is_same_v<SingleState, typename Family::State>;
    /** Whether samples one after the other take less time than a tile, part of which would be empty. */
    bool isFew(int count) const {
        const int n = flow.model.getNumParticles(), items = ParticleLayout(n, true).getNumItems();
        return hasSingle && 3 * count * items <= 2 * n && count < TILE;
    }
    Single& getSingle() {
        if (!single)
            single = std::make_unique<Single>(flow, 1);
        return *single;
    }
    const CouplingFlow<Family>& flow;
    CouplingTiles<Family, CouplingFlowState<Family>> tiles;
    std::unique_ptr<Single> single;
    std::unique_ptr<WeightGradient> gradient;
};

template <class Family>
class CpuCouplingFlow : public CpuFlow {
public:
    explicit CpuCouplingFlow(const typename Family::Model& model) : flow(model) {}
    std::unique_ptr<CpuFlowBlock> createBlock() const override {
        return std::make_unique<CouplingFlowBlock<Family>>(flow);
    }
    std::unique_ptr<CpuGradientBlock> createGradientBlock() const override {
        return std::make_unique<CouplingFlowBlock<Family>>(flow);
    }
    void setParameters(const double* parameters) override { flow.setParameters(parameters); }

private:
    CouplingFlow<Family> flow;
};

}  // namespace

CpuFlow* createCouplingFlow(const EquivariantCouplingModel& model) {
    return new CpuCouplingFlow<EquivariantFamily>(model);
}

CpuFlow* createCouplingFlow(const AugmentedCouplingModel& model) {
    return new CpuCouplingFlow<AugmentedFamily>(model);
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow
