// Annealed importance sampling in the coordinates of a flow: Hamiltonian Monte Carlo leaves densities as they
// are, and the weights are right.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "CoordinateAnnealing.h"
#include "EnergyRuns.h"
#include "openmm/reference/SimTKOpenMMRealType.h"

using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace std;

namespace {

constexpr int D = 3 * N - 6;

/** Functions of the coordinates, by which distributions are compared: circular ones have no average. */
vector<double> computeFeatures(const double* coordinates) {
    const auto& circular =
        dynamic_cast<const InternalFlowModel&>(getTruth().getModel()).getCoordinates().circular;
    vector<double> features;
    for (int j = 0; j < D; j++) {
        const double c = coordinates[j];
        features.push_back(circular[j] ? cos(c) : c);
        features.push_back(circular[j] ? sin(c) : c * c);
    }
    return features;
}

struct Average {
    double value, error;
};

/** Of each feature, by the weights of independent samples. */
vector<Average> average(const vector<double>& coordinates, const vector<double>& weights) {
    const size_t count = weights.size();
    vector<vector<double>> features;
    double sum = 0;
    for (size_t k = 0; k < count; k++) {
        features.push_back(computeFeatures(&coordinates[k * D]));
        sum += weights[k];
    }
    vector<Average> averages;
    for (size_t f = 0; f < features[0].size(); f++) {
        double mean = 0, square = 0;
        for (size_t k = 0; k < count; k++)
            mean += weights[k] * features[k][f] / sum;
        for (size_t k = 0; k < count; k++)
            square += pow(weights[k] * (features[k][f] - mean) / sum, 2);
        averages.push_back({mean, sqrt(square)});
    }
    return averages;
}

class CoordinateAnnealingTest : public testing::Test {
protected:
    const ProcessGroup alone;
    CoordinateAnnealingTest()
        : potential(*makeTarget(), {{"Threads", "1"}}),
          truth(TrainableFlow::create(getTruth(), options)),
          untrained(TrainableFlow::create(makeUntrained(), options)) {
        const Sample data = draw(getTruth(), 10000, 17);
        string violation;
        for (size_t k = 0; k < data.logQ.size(); k++)
            truth->measure(&data.positions[3 * N * k], expected, violation);
    }
    CoordinateAnnealing::Samples run(const TrainableFlow& flow, const IntermediateTarget& target,
                                     long long count) {
        return CoordinateAnnealing(flow, potential, BOLTZ * temperature, {4, 3, 0.65}, alone)
            .run(flow.getParameters(), target, count, 5, 0, stepSizes);
    }
    void expectDistribution(const CoordinateAnnealing::Samples& samples) const {
        vector<double> weights;
        for (double logWeight : samples.logWeights)
            weights.push_back(exp(logWeight));
        const auto found = average(samples.coordinates, weights),
                   right = average(expected, vector<double>(expected.size() / D, 1));
        for (size_t f = 0; f < found.size(); f++)
            EXPECT_NEAR(found[f].value, right[f].value, 4 * hypot(found[f].error, right[f].error)) << f;
    }
    FlowTrainerOptions options = makeEnergyOptions();
    BatchedPotential potential;
    unique_ptr<TrainableFlow> truth, untrained;
    vector<double> expected, stepSizes = vector<double>(4, 0.2);
};

}  // namespace

TEST_F(CoordinateAnnealingTest, MovesLeaveADensityAsItIs) {
    // Many moves are rejected.
    stepSizes.assign(4, 0.5);
    const auto samples = run(*truth, {1, 0}, 10000);
    for (double stepSize : stepSizes)
        EXPECT_LT(stepSize, 0.5);
    for (double logWeight : samples.logWeights)
        EXPECT_EQ(logWeight, 0) << "there is no work";
    expectDistribution(samples);
    const vector<double> start = truth->samplePaths(truth->getParameters(), 10000, 5, 0).coordinates;
    int moved = 0;
    for (int k = 0; k < 10000; k++)
        moved += fabs(samples.coordinates[k * D] - start[k * D]) > 0.1;
    EXPECT_GT(moved, 4000);
}

TEST_F(CoordinateAnnealingTest, WeightsGiveTheTarget) {
    const auto samples = run(*untrained, {0, 1}, 8000);
    double sum = 0, square = 0;
    for (double logWeight : samples.logWeights) {
        sum += exp(logWeight);
        square += exp(2 * logWeight);
    }
    const double mean = sum / 8000, error = sqrt((square / 8000 - mean * mean) / 8000);
    EXPECT_NEAR(mean, 1, 4 * error) << "the target is normalised";
    EXPECT_LT(error, 0.1);
    // Samples of the flow itself, without moves, are much worse.
    EXPECT_GT(sum * sum / square / 8000, 1.5 * sample(makeUntrained()).getEffectiveSampleFraction());
    expectDistribution(samples);
    for (size_t k : {0, 77}) {
        const vector<double> point(&samples.coordinates[k * D], &samples.coordinates[k * D] + D);
        EXPECT_NEAR(untrained->evaluatePaths(untrained->getParameters(), point).logQ[0], samples.logQ[k],
                    1e-3);
    }
}

TEST_F(CoordinateAnnealingTest, IsTheSameInParts) {
    const auto whole = run(*untrained, {-1, 2}, 20);
    const CoordinateAnnealing annealing(*untrained, potential, BOLTZ * temperature, {4, 3, 0.65}, alone);
    vector<double> sizes(4, 0.2);
    const auto part = annealing.run(untrained->getParameters(), {-1, 2}, 8, 5, 12, sizes);
    EXPECT_EQ(part.logWeights, vector<double>(whole.logWeights.begin() + 12, whole.logWeights.end()));
}

TEST_F(CoordinateAnnealingTest, StepSizesAdapt) {
    for (double first : {0.01, 10.0}) {
        stepSizes.assign(4, first);
        for (int i = 0; i < 25; i++)
            run(*untrained, {0, 1}, 30);
        for (double stepSize : stepSizes) {
            EXPECT_GT(stepSize, 0.05);
            EXPECT_LT(stepSize, 3);
        }
    }
}

TEST_F(CoordinateAnnealingTest, VolumesAreThoseOfTheDensities) {
    options.precision = "double";
    const auto flow = TrainableFlow::create(getTruth(), options);
    for (int k = 0; k < 5; k++) {
        vector<double> point(&expected[k * D], &expected[k * D] + D), gradient(D), unused(D);
        const Frames frame{at::tensor(point, at::kDouble).view({1, D}), at::ones({1}, at::kDouble)};
        const double logVolume = flow->computeLogVolume(point.data(), gradient.data());
        EXPECT_NEAR(logVolume,
                    -flow->validate(flow->getParameters(), frame, 0)
                        - flow->evaluatePaths(flow->getParameters(), point).logQ[0],
                    1e-9);
        for (int j = 0; j < D; j++) {
            const double step = 1e-5;
            point[j] += step;
            const double above = flow->computeLogVolume(point.data(), unused.data());
            point[j] -= 2 * step;
            const double below = flow->computeLogVolume(point.data(), unused.data());
            point[j] += step;
            EXPECT_NEAR(gradient[j], (above - below) / (2 * step), 1e-6);
        }
    }
}
