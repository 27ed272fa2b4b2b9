#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "../CpuFlow.h"
#include "LaneMatrix.h"
#include "LaneWeightGradient.h"
#include "NoiseBlock.h"
#include "Sigmoid.h"
#include "WideSum.h"
#include "openmmflow/internal/EquivariantCouplingModel.h"
#include "shared/SplineOffset.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

namespace {

#include "shared/equivariant/Collinearity.h"
#include "shared/equivariant/Items.h"

#include "shared/equivariant/ResidualNetwork.h"

#include "shared/equivariant/Network.h"

#include "shared/equivariant/Edges.h"

#include "shared/equivariant/NetworkState.h"
#include "shared/equivariant/Transforms.h"

#include "shared/equivariant/Coupling.h"

#include "shared/equivariant/CouplingFlow.h"

/** A tile of samples on their way through the equivariant coupling flow. */
class CouplingFlowBlock : public CpuFlowBlock, public CpuGradientBlock {
public:
    explicit CouplingFlowBlock(const CouplingFlow& flow)
        : flow(flow),
          state(flow),
          numParticles(flow.model.getNumParticles()),
          numNumbers(3 * numParticles * flow.model.getNumClouds()),
          dimensions(flow.model.getParticles().dimensions),
          unit(flow.model.getOptions().lengthUnit),
          numNormals((state.getNumNormals() + 1) / 2 * 2),
          normals((size_t)numNormals * TILE) {}
    int getBlockSize() const override { return TILE; }
    void sample(int count, uint64_t seed, uint64_t first, double* positions, double* logQ) override {
        lanes_double::drawNoise(seed, first, TILE, TILE, numNormals, normals.data(), 0, nullptr);
        state.sample([&](int n, int h) {
            Lanes z;
            for (int lane = 0; lane < LANES; lane++)
                z.v[lane] = (Scalar)normals[(size_t)n * TILE + h * LANES + lane];
            return z;
        });
        for (int s = 0; s < count; s++) {
            double* sample = positions + (size_t)s * numNumbers;
            logQ[s] = getLogDensity(s);
            store(state.getPoints(), s, unit, sample);
            center(sample);
            if (std::isfinite(logQ[s]) && isFinite(sample))
                continue;
            // A frame was degenerate.
            logQ[s] = std::numeric_limits<double>::infinity();
            std::fill_n(sample, numNumbers, 0.0);
        }
    }
    void computeLogDensity(int count, const double* positions, double* logQ, double* gradient) override {
        load(count, positions);
        state.evaluate(gradient != nullptr);
        for (int s = 0; s < count; s++) {
            logQ[s] = getLogDensity(s);
            if (!std::isfinite(logQ[s]))
                logQ[s] = isFinite(positions + (size_t)s * numNumbers)
                              ? -std::numeric_limits<double>::infinity()
                              : std::numeric_limits<double>::quiet_NaN();
        }
        if (gradient == nullptr)
            return;
        Lanes worth[STRIDE];
        std::fill_n(worth, STRIDE, Lanes(1.0));
        const Items& adjoint = state.backpropagate({worth}, nullptr);
        for (int s = 0; s < count; s++) {
            double* result = gradient + (size_t)s * numNumbers;
            if (std::isfinite(logQ[s]))
                store(adjoint, s, 1 / unit, result);
            else
                std::fill_n(result, numNumbers, std::numeric_limits<double>::quiet_NaN());
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
        load(count, positions);
        state.evaluate(true);
        // What stands in for samples that are missing is worth nothing.
        const double numFrames = state.countFrames();
        Lanes worths[STRIDE], penaltyWorths[STRIDE];
        for (int s = 0; s < TILE; s++) {
            worths[s / LANES].v[s % LANES] = s < count ? (Scalar)worth[s] : 0;
            penaltyWorths[s / LANES].v[s % LANES] = s < count ? (Scalar)(penaltyWorth / numFrames) : 0;
        }
        for (int s = 0; s < count; s++)
            logQ[s] = getLogDensity(s);
        state.backpropagate({worths, penaltyWorth != 0 ? penaltyWorths : nullptr}, gradient.get());
        for (int s = 0; s < count; s++)
            penalty[s] = state.getPenalty(s / LANES).get(s % LANES) / numFrames;
    }
    void moveGradient(double* sum, size_t first, size_t last) override {
        if (gradient)
            gradient->moveTo(sum, first, last);
    }

private:
    int getRow(int i) const { return 3 * (i / 3 / numParticles) + i % 3; }
    int getVector(int i, int s) const { return i / 3 % numParticles * STRIDE + s / LANES; }
    bool isUsed(int i) const { return i % 3 < dimensions; }
    double getLogDensity(int s) const { return state.getLogDensity(s / LANES).get(s % LANES); }
    bool isFinite(const double* sample) const {
        for (int i = 0; i < numNumbers; i++)
            if (isUsed(i) && !std::isfinite(sample[i]))
                return false;
        return true;
    }
    /** Move the centre of x to the origin. */
    void center(double* sample) const {
        double sum[3] = {0, 0, 0};
        for (int i = 0; i < 3 * numParticles; i++)
            sum[i % 3] += sample[i];
        for (int i = 0; i < numNumbers; i++)
            sample[i] -= sum[i % 3] / numParticles;
    }
    /** In double precision, the centre is taken off before anything is rounded. Samples that are missing
     * repeat the last. */
    void load(int count, const double* positions) {
        std::vector<double> sample(numNumbers);
        for (int s = 0; s < TILE; s++) {
            std::copy_n(positions + (size_t)std::min(s, count - 1) * numNumbers, numNumbers, sample.begin());
            center(sample.data());
            for (int i = 0; i < numNumbers; i++)
                state.getPoints().at(getRow(i), getVector(i, s)).v[s % LANES] =
                    isUsed(i) ? (Scalar)(sample[i] / unit) : 0;
        }
    }
    void store(const Items& items, int s, double factor, double* result) const {
        for (int i = 0; i < numNumbers; i++)
            result[i] = factor * items.at(getRow(i), getVector(i, s)).v[s % LANES];
    }
    const CouplingFlow& flow;
    CouplingFlowState state;
    std::unique_ptr<WeightGradient> gradient;
    int numParticles, numNumbers, dimensions;
    double unit;
    int numNormals;
    std::vector<double> normals;
};

class CpuCouplingFlow : public CpuFlow {
public:
    explicit CpuCouplingFlow(const EquivariantCouplingModel& model) : flow(model) {}
    std::unique_ptr<CpuFlowBlock> createBlock() const override {
        return std::make_unique<CouplingFlowBlock>(flow);
    }
    std::unique_ptr<CpuGradientBlock> createGradientBlock() const override {
        return std::make_unique<CouplingFlowBlock>(flow);
    }
    void setParameters(const double* parameters) override { flow.setParameters(parameters); }

private:
    CouplingFlow flow;
};

}  // namespace

CpuFlow* createCouplingFlow(const EquivariantCouplingModel& model) {
    return new CpuCouplingFlow(model);
}

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow
