// What training from the energy alone asks of a flow, on samples whose energies and densities are known.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/ATen.h>

#include "ExpectError.h"
#include "PathGradientObjective.h"
#include "TrainingRuns.h"
#include "TrainingState.h"
#include "openmm/HarmonicBondForce.h"
#include "openmm/System.h"
#include "openmm/reference/SimTKOpenMMRealType.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace std;
using at::Tensor;

namespace {

constexpr double temperature = 300, stiffness = 1000, length = 0.1;

/** One bond between the first two of the particles. */
unique_ptr<System> makeSystem() {
    auto system = make_unique<System>();
    for (int i = 0; i < N; i++)
        system->addParticle(12);
    auto* bonds = new HarmonicBondForce();
    bonds->addBond(0, 1, length, stiffness);
    system->addForce(bonds);
    return system;
}

/** A flow of one coordinate, the length of the bond, that keeps what it is asked for. */
class OneBond : public TrainableFlow {
public:
    vector<double> bonds, logQ, gradient;
    mutable vector<double> coordinates, difference;
    mutable uint64_t first = 0;
    static constexpr double pathGradient = 100;

    int getNumParticles() const override { return N; }
    at::ScalarType getDataType() const override { return at::kDouble; }
    int getNumCoordinates() const override { return 1; }
    double measure(const double*, vector<double>&, string&) const override { return 0; }
    Tensor getParameters() const override { return at::zeros({1}, at::kDouble); }
    vector<LayerPlace> getLayers() const override { return {}; }
    shared_ptr<const FlowModel> createModel(const Tensor&) const override { return nullptr; }
    double validate(const Tensor&, const Frames&, int64_t) const override { return 0; }
    double computeGradient(Tensor&, const Frames&, const vector<int64_t>&, int64_t) const override {
        return 0;
    }
    PathSamples samplePaths(const Tensor&, long long count, uint64_t, uint64_t first) const override {
        EXPECT_EQ((size_t)count, bonds.size());
        this->first = first;
        PathSamples samples{{}, bonds, logQ, gradient, bonds};
        for (double bond : bonds)
            samples.positions.insert(samples.positions.end(), {0, 0, 0, bond, 0, 0, 0, 1, 0, 0, 2, 0});
        return samples;
    }
    PathSamples evaluatePaths(const Tensor&, const vector<double>&, bool) const override { return {}; }
    vector<double> toCoordinateGradient(const double*, const double* gradient) const override {
        return {gradient[3]};
    }
    double computeLogVolume(const double*, double*) const override { return 0; }
    void computePathGradient(Tensor& parameters, const vector<double>& coordinates,
                             const vector<double>& difference) const override {
        parameters.mutable_grad() = at::full({1}, pathGradient, at::kDouble);
        this->coordinates = coordinates;
        this->difference = difference;
    }
    void computeBalancedPathGradient(Tensor& parameters, const vector<double>& coordinates,
                                     const vector<double>& difference, const vector<double>& adjoints,
                                     const vector<double>& worth) const override {
        EXPECT_EQ(adjoints, coordinates);
        computePathGradient(parameters, coordinates, difference);
        for (size_t k = 0; k < worth.size(); k++)
            parameters.mutable_grad() -= worth[k] * coordinates[k] * (double)worth.size();
    }
};

class EnergyObjectiveTest : public testing::Test {
protected:
    EnergyObjectiveTest() {
        options.batchSize = 5;
        options.maxSamples = 5 * 100;
        options.initialTemperature = 1200;
        options.annealingFraction = 0.5;
        options.massCovering = 0;
        options.massBalancing = 0;
        options.forceClipFactor = 0;
        options.threads = 1;
        flow.bonds = {0.1, 0.11, 0.12, 0.08, 0.095};
        flow.logQ = {1, 2, 0.5, 1.5, 1};
        flow.gradient = {3, -2, 1, 0, 4};
    }
    double computeLoss(int64_t step) {
        const Target target(*makeSystem(), temperature, makeUntrained(), options);
        const ProcessGroup alone;
        PathGradientObjective objective(flow, options, target, alone);
        TrainingState state = TrainingState::begin(flow.getParameters(), 0);
        state.step = step;
        EXPECT_NEAR(objective.getTemperature(25), 600, 1e-9) << "the geometric mean";
        for (int64_t late : {50, 99})
            EXPECT_NEAR(objective.getTemperature(late), temperature, 1e-9);
        const double loss = objective.computeGradient(state);
        EXPECT_EQ(state.energyEvaluations, 5);
        found = state.parameters.grad().defined() ? state.parameters.grad().item<double>() : NAN;
        return loss;
    }
    double getEnergy(size_t k) const { return 0.5 * stiffness * pow(flow.bonds[k] - length, 2); }
    /** Of log q + U/kT by the bond. */
    double getDifference(size_t k, double kT) const {
        return flow.gradient[k] + stiffness * (flow.bonds[k] - length) / kT;
    }
    OneBond flow;
    FlowTrainerOptions options;
    /** The gradient of the only parameter. */
    double found = NAN;
};

}  // namespace

TEST_F(EnergyObjectiveTest, IsTheReverseDivergence) {
    for (auto [step, T] : {pair{60, temperature}, pair{25, 600.0}}) {
        const double kT = BOLTZ * T;
        vector<double> values;
        for (size_t k = 0; k < 5; k++)
            values.push_back(flow.logQ[k] + getEnergy(k) / kT);
        sort(values.begin(), values.end());
        EXPECT_NEAR(computeLoss(step), values[2], 1e-4) << "the median";
        EXPECT_EQ(flow.coordinates, flow.bonds);
        ASSERT_EQ(flow.difference.size(), 5u);
        for (size_t k = 0; k < 5; k++)
            EXPECT_NEAR(flow.difference[k], getDifference(k, kT) / 5, 1e-4);
    }
    const uint64_t first = flow.first;
    computeLoss(26);
    EXPECT_EQ(flow.first, first + 5) << "no sample is drawn twice";
}

TEST_F(EnergyObjectiveTest, ImportanceWeightsCoverMass) {
    const double kT = BOLTZ * temperature;
    // The last but one has nearly all of the weight.
    flow.logQ[3] = -20;
    options.massCovering = 0.25;
    computeLoss(60);
    vector<double> weights;
    for (size_t k = 0; k < 5; k++)
        weights.push_back(exp(-getEnergy(k) / kT - flow.logQ[k]));
    const double sum = accumulate(weights.begin(), weights.end(), 0.0);
    EXPECT_GT(weights[3] / sum * 5, sqrt(5));
    for (size_t k = 0; k < 5; k++) {
        const double weight = min(5 * weights[k] / sum, sqrt(5));
        EXPECT_NEAR(flow.difference[k], (0.75 + 0.25 * weight) * getDifference(k, kT) / 5, 1e-4);
    }
}

TEST_F(EnergyObjectiveTest, WeightsAreTemperedWhereFewAreEffective) {
    const double kT = BOLTZ * temperature;
    flow.logQ[3] = -20;
    options.massCovering = 1;
    const auto effective = [](const vector<double>& weights) {
        double sum = 0, squares = 0;
        for (double weight : weights) {
            sum += weight;
            squares += weight * weight;
        }
        return sum * sum / squares / (double)weights.size();
    };
    const auto getWeights = [&] {
        computeLoss(60);
        vector<double> weights;
        for (size_t k = 0; k < 5; k++)
            weights.push_back(5 * flow.difference[k] / getDifference(k, kT));
        return weights;
    };
    const vector<double> plain = getWeights();
    EXPECT_LT(effective(plain), 0.4);
    options.minEffectiveFraction = 0.8;
    const vector<double> tempered = getWeights();
    EXPECT_NEAR(effective(tempered), 0.8, 1e-4);
    // Powers of the weights: their logarithms are proportional.
    vector<double> logWeights;
    for (size_t k = 0; k < 5; k++)
        logWeights.push_back(-getEnergy(k) / kT - flow.logQ[k]);
    const double power = log(tempered[3] / tempered[0]) / (logWeights[3] - logWeights[0]);
    EXPECT_GT(power, 0.01);
    EXPECT_LT(power, 0.99);
    for (size_t k : {1, 2, 4})
        EXPECT_NEAR(log(tempered[k] / tempered[0]), power * (logWeights[k] - logWeights[0]), 1e-3);
    options.minEffectiveFraction = effective(plain) / 4;
    EXPECT_EQ(getWeights(), plain) << "where more are effective nothing changes";
}

/** The flow above takes the sum of weight times coordinate for the gradient of a likelihood. */
TEST_F(EnergyObjectiveTest, LikelihoodBalancesMass) {
    const double kT = BOLTZ * temperature;
    flow.logQ[3] = -20;
    computeLoss(60);
    EXPECT_EQ(found, OneBond::pathGradient);
    options.massBalancing = 0.75;
    computeLoss(60);
    vector<double> weights;
    for (size_t k = 0; k < 5; k++)
        weights.push_back(exp(-getEnergy(k) / kT - flow.logQ[k]));
    const double sum = accumulate(weights.begin(), weights.end(), 0.0);
    for (double& weight : weights)
        weight = min(5 * weight / sum, sqrt(5));
    const double average = accumulate(weights.begin(), weights.end(), 0.0) / 5;
    double expected = OneBond::pathGradient;
    for (size_t k = 0; k < 5; k++)
        expected += 0.75 * (weights[k] - average) * flow.bonds[k];
    EXPECT_NEAR(found, expected, 1e-6);
    EXPECT_GT(fabs(found - OneBond::pathGradient), 1e-3);
}

TEST_F(EnergyObjectiveTest, LongGradientsAreClipped) {
    const double kT = BOLTZ * temperature;
    options.forceClipFactor = 1.5;
    computeLoss(60);
    vector<double> sizes;
    for (size_t k = 0; k < 5; k++)
        sizes.push_back(fabs(getDifference(k, kT)));
    sort(sizes.begin(), sizes.end());
    const double longest = 1.5 * sizes[2];
    EXPECT_GT(sizes[4], longest);
    for (size_t k = 0; k < 5; k++)
        EXPECT_NEAR(flow.difference[k], clamp(getDifference(k, kT), -longest, longest) / 5, 1e-4);
}

TEST_F(EnergyObjectiveTest, LeavesOutWhatHasNoWeight) {
    const double kT = BOLTZ * temperature;
    flow.bonds[1] = NAN;
    flow.logQ[4] = INFINITY;
    computeLoss(60);
    ASSERT_EQ(flow.difference.size(), 3u);
    EXPECT_EQ(flow.coordinates, vector<double>({0.1, 0.12, 0.08}));
    EXPECT_NEAR(flow.difference[1], getDifference(2, kT) / 3, 1e-4);
    flow.bonds.assign(5, NAN);
    EXPECT_EQ(computeLoss(60), INFINITY) << "which the optimiser goes back from";
    expectError([&] { computeLoss(0); }, "None of 5 proposals of the flow has a finite energy");
}
