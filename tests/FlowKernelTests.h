// What every platform's FlowKernel must do, run on each by a shim that defines getPlatformsUnderTest().

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>

#include "FlowKernelFixture.h"
#include "RandomFlow.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/FlowContext.h"
#include "shared/DoubleMath.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace std;

vector<tests::PlatformUnderTest> getPlatformsUnderTest();

namespace {

using tests::findMedian;
using Activation = InternalFlowModel::Activation;

class FlowKernelTest : public testing::TestWithParam<tests::PlatformUnderTest>,
                       protected tests::FlowKernelFixture {
protected:
    FlowKernelTest() : FlowKernelFixture(GetParam()) {}
};

vector<double> rotateAndShift(const vector<double>& positions, const double* q, shared::real3 shift) {
    vector<double> moved(positions.size());
    for (size_t i = 0; i < positions.size(); i += 3) {
        const shared::real3 r =
            shared::rotateVector(q[0], q[1], q[2], q[3], {positions[i], positions[i + 1], positions[i + 2]});
        moved[i] = r.x + shift.x;
        moved[i + 1] = r.y + shift.y;
        moved[i + 2] = r.z + shift.z;
    }
    return moved;
}

TEST_P(FlowKernelTest, SamplesAreThoseOfReference) {
    for (Activation activation : {Activation::ReLU, Activation::SiLU})
        for (int numParticles : {3, 4, 5, 22}) {
            const Flow flow = makeRandomFlow(numParticles, activation, 11 + numParticles);
            vector<double> positions, logQ, truePositions, trueLogQ;
            makeContext(flow)->sample(300, positions, logQ, 5, 1000);
            makeTruth(flow)->sample(300, truePositions, trueLogQ, 5, 1000);
            vector<double> errors, logErrors;
            for (size_t k = 0; k < logQ.size(); k++) {
                ASSERT_EQ(isinf(logQ[k]), isinf(trueLogQ[k])) << "sample " << k;
                if (!isinf(logQ[k]))
                    logErrors.push_back(fabs(logQ[k] - trueLogQ[k]));
            }
            for (size_t i = 0; i < positions.size(); i++)
                errors.push_back(fabs(positions[i] - truePositions[i]));
            ASSERT_GT(logErrors.size(), 100u) << "samples on the support";
            EXPECT_LT(findMedian(logErrors), isDouble() ? 1e-9 : 1e-3);
            EXPECT_LT(*max_element(logErrors.begin(), logErrors.end()), 20 * logTolerance());
            EXPECT_LT(*max_element(errors.begin(), errors.end()), positionTolerance());
        }
}

TEST_P(FlowKernelTest, ASampleIsTheSameInEveryBatch) {
    const Flow flow = makeRandomFlow(9, Activation::SiLU, 3);
    auto context = makeContext(flow);
    vector<double> all, allLogQ;
    context->sample(1000, all, allLogQ, 77, 0);
    for (auto [first, count] :
         {pair{0, 1}, {1, 15}, {16, 16}, {30, 17}, {100, 255}, {355, 256}, {400, 257}, {990, 10}}) {
        vector<double> part, partLogQ;
        context->sample(count, part, partLogQ, 77, first);
        for (int i = 0; i < count * 27; i++)
            ASSERT_NEAR(part[i], all[first * 27 + i], positionTolerance());
        for (int i = 0; i < count; i++) {
            if (!isinf(partLogQ[i])) {
                ASSERT_NEAR(partLogQ[i], allLogQ[first + i], logTolerance());
            }
        }
    }
    vector<double> other, otherLogQ;
    context->sample(1, other, otherLogQ, 78, 0);
    EXPECT_GT(fabs(other[0] - all[0]), 1e-6);
    context->sample(0, other, otherLogQ);
    EXPECT_TRUE(other.empty());
}

TEST_P(FlowKernelTest, SamplesBeyond32BitsOfIndexDiffer) {
    const Flow flow = makeRandomFlow(4, Activation::SiLU, 3);
    auto context = makeContext(flow);
    vector<double> low, high, logQ;
    context->sample(1, low, logQ, 1, 7);
    context->sample(1, high, logQ, 1, 7 + (1ull << 32));
    EXPECT_GT(fabs(low[0] - high[0]), 1e-6);
}

TEST_P(FlowKernelTest, LogDensityOfASampleIsWhatItCameWith) {
    for (int numParticles : {3, 4, 12}) {
        const Flow flow = makeRandomFlow(numParticles, Activation::SiLU, 5);
        auto context = makeContext(flow);
        vector<double> positions, logQ;
        context->sample(500, positions, logQ, 1);
        const vector<double> again = context->computeLogDensity(positions);
        vector<double> errors;
        for (size_t k = 0; k < logQ.size(); k++)
            if (!isinf(logQ[k]))
                errors.push_back(fabs(again[k] - logQ[k]));
        ASSERT_GT(errors.size(), 300u);
        EXPECT_LT(findMedian(errors), isDouble() ? 1e-10 : 2e-3);
        sort(errors.begin(), errors.end());
        EXPECT_LT(errors[errors.size() * 99 / 100], isDouble() ? 1e-6 : 0.1);
        EXPECT_LT(fabs(positions[0] + positions[3] + positions[6]), numParticles == 3 ? 1e-6 : 1e9);
    }
}

TEST_P(FlowKernelTest, LogDensityAndGradientAreThoseOfReference) {
    for (Activation activation : {Activation::ReLU, Activation::SiLU})
        for (int numParticles : {3, 4, 10, 22}) {
            const Flow flow = makeRandomFlow(numParticles, activation, 21 + numParticles);
            auto truth = makeTruth(flow);
            vector<double> positions, logQ, trueLogQ, gradient, trueGradient;
            truth->sample(290, positions, trueLogQ, 9);
            truth->computeLogDensityGradient(positions, trueLogQ, trueGradient);
            makeContext(flow)->computeLogDensityGradient(positions, logQ, gradient);
            vector<double> errors, logErrors;
            for (size_t k = 0; k < logQ.size(); k++)
                if (!isinf(trueLogQ[k]) && !isinf(logQ[k])) {
                    logErrors.push_back(fabs(logQ[k] - trueLogQ[k]));
                    double difference = 0, size = 0;
                    for (int i = 0; i < 3 * numParticles; i++) {
                        difference += pow(
                            gradient[3 * numParticles * k + i] - trueGradient[3 * numParticles * k + i], 2);
                        size += pow(trueGradient[3 * numParticles * k + i], 2);
                    }
                    errors.push_back(sqrt(difference / size));
                }
            ASSERT_GT(errors.size(), 150u);
            EXPECT_LT(findMedian(logErrors), isDouble() ? 1e-10 : 1e-3);
            EXPECT_LT(findMedian(errors), isDouble() ? 1e-9 : 2e-3);
            sort(errors.begin(), errors.end());
            EXPECT_LT(errors[errors.size() * 95 / 100], isDouble() ? 1e-6 : 0.1);
        }
}

TEST_P(FlowKernelTest, OneSampleAtATimeHasTheDensityAndGradientOfABatch) {
    for (int bins : {6, 8})
        for (int numParticles : {3, 4, 10, 22}) {
            InternalFlowModel::Configuration configuration;
            configuration.couplings = 3;
            configuration.hidden = bins == 8 ? 43 : 16;
            configuration.bins = bins;
            configuration.linearBins = bins == 8 ? 4 : 6;
            configuration.harmonics = bins == 8 ? 4 : 1;
            configuration.products = bins == 8;
            configuration.activation = bins == 8 ? Activation::SiLU : Activation::ReLU;
            const Flow flow = makeRandomFlow(makeCoordinates(numParticles, 0.15, 0.015, 0.15), configuration,
                                             31 + numParticles);
            auto context = makeContext(flow);
            const int size = 3 * numParticles, count = 60;
            vector<double> positions, logQ, gradient, one, oneGradient, logErrors, errors;
            makeTruth(flow)->sample(count, positions, logQ, 9);
            positions[7 * size + 4] = NAN;
            for (int i = 0; i < size; i += 3)
                positions[8 * size + i] = -positions[8 * size + i];
            context->computeLogDensityGradient(positions, logQ, gradient);
            for (int k = 0; k < count; k++) {
                one.assign(&positions[k * size], &positions[k * size] + size);
                const double oneLogQ = context->computeLogDensityOfOne(one, &oneGradient);
                ASSERT_EQ(isfinite(logQ[k]), isfinite(oneLogQ)) << logQ[k] << " " << oneLogQ;
                ASSERT_EQ(isnan(logQ[k]), isnan(oneLogQ));
                if (!isnan(oneLogQ)) {
                    EXPECT_EQ(context->computeLogDensityOfOne(one), oneLogQ);
                }
                if (!isfinite(logQ[k])) {
                    EXPECT_TRUE(isnan(oneGradient[0]));
                    continue;
                }
                double difference = 0, square = 0;
                for (int i = 0; i < size; i++) {
                    difference += pow(gradient[k * size + i] - oneGradient[i], 2);
                    square += pow(gradient[k * size + i], 2);
                }
                logErrors.push_back(fabs(logQ[k] - oneLogQ));
                errors.push_back(sqrt(difference / square));
            }
            EXPECT_THROW(context->computeLogDensityOfOne(positions), OpenMMException);
            // A batch of one is a batch, whatever the threads.
            one.assign(&positions[0], &positions[size]);
            vector<double> three(&positions[0], &positions[3 * size]);
            EXPECT_EQ(context->computeLogDensity(one)[0], context->computeLogDensity(three)[0]);
            ASSERT_GT(errors.size(), 30u);
            EXPECT_LT(findMedian(logErrors), isDouble() ? 1e-11 : 1e-3);
            EXPECT_LT(findMedian(errors), isDouble() ? 1e-10 : 2e-3);
            sort(errors.begin(), errors.end());
            EXPECT_LT(errors[errors.size() * 90 / 100], isDouble() ? 1e-7 : 0.1);
        }
}

TEST_P(FlowKernelTest, LogDensityIsInvariantToTranslationAndRotation) {
    const Flow flow = makeRandomFlow(8, Activation::SiLU, 2);
    auto context = makeContext(flow);
    vector<double> positions, logQ;
    makeTruth(flow)->sample(64, positions, logQ, 4);
    const double q[4] = {0.3, -0.5, 0.7, 0.2};
    const vector<double> before = context->computeLogDensity(positions);
    const vector<double> after = context->computeLogDensity(rotateAndShift(positions, q, {10, -20, 5}));
    vector<double> errors;
    for (size_t k = 0; k < before.size(); k++)
        if (isfinite(before[k]))
            errors.push_back(fabs(before[k] - after[k]));
    EXPECT_LT(findMedian(errors), isDouble() ? 1e-9 : 2e-3);
    EXPECT_LT(*max_element(errors.begin(), errors.end()), isDouble() ? 1e-5 : 0.2);
}

TEST_P(FlowKernelTest, TheMirrorImageOfAChiralMoleculeIsOutsideTheSupport) {
    const Flow flow = makeRandomFlow(5, Activation::SiLU, 2);
    auto context = makeContext(flow);
    vector<double> positions, logQ, gradient;
    context->sample(64, positions, logQ, 4);
    const vector<double> before = logQ;
    for (size_t i = 0; i < positions.size(); i += 3)
        positions[i] = -positions[i];
    context->computeLogDensityGradient(positions, logQ, gradient);
    int mirrored = 0;
    for (size_t k = 0; k < logQ.size(); k++)
        if (isfinite(before[k])) {
            EXPECT_EQ(logQ[k], -numeric_limits<double>::infinity());
            EXPECT_TRUE(isnan(gradient[15 * k])) << "where there is no density, it has no gradient";
            mirrored++;
        }
    EXPECT_GT(mirrored, 32);
}

TEST_P(FlowKernelTest, ANaNSpoilsOnlyItsOwnSample) {
    const Flow flow = makeRandomFlow(6, Activation::SiLU, 8);
    auto context = makeContext(flow);
    vector<double> positions, logQ;
    context->sample(40, positions, logQ, 1);
    const vector<double> before = context->computeLogDensity(positions);
    positions[18 * 7 + 4] = NAN;
    positions[18 * 9 + 1] = INFINITY;
    const vector<double> after = context->computeLogDensity(positions);
    for (int k = 0; k < 40; k++) {
        if (k == 7 || k == 9) {
            EXPECT_TRUE(isnan(after[k]));
        } else {
            EXPECT_EQ(before[k], after[k]);
        }
    }
}

TEST_P(FlowKernelTest, GradientAgreesWithFiniteDifferences) {
    const Flow flow = makeRandomFlow(6, Activation::SiLU, 31);
    auto truth = makeTruth(flow), context = makeContext(flow);
    vector<double> positions, logQ, gradient;
    truth->sample(60, positions, logQ, 12);
    context->computeLogDensityGradient(positions, logQ, gradient);
    // Differences of the Reference density: those of a single-precision one would be noise.
    int checked = 0, agree = 0;
    for (int i = 0; i < 18; i++) {
        const double h = 1e-6;
        vector<double> plus = positions, minus = positions;
        for (int k = 0; k < 60; k++) {
            plus[18 * k + i] += h;
            minus[18 * k + i] -= h;
        }
        const vector<double> up = truth->computeLogDensity(plus), down = truth->computeLogDensity(minus);
        for (int k = 0; k < 60; k++)
            if (isfinite(up[k]) && isfinite(down[k])) {
                double size = 0;
                for (int j = 0; j < 18; j++)
                    size = max(size, fabs(gradient[18 * k + j]));
                checked++;
                agree += fabs((up[k] - down[k]) / (2 * h) - gradient[18 * k + i])
                         < (isDouble() ? 1e-5 : 1e-2) * size;
            }
    }
    // The rest straddle a knot of a spline, where the gradient jumps.
    EXPECT_GT(checked, 700);
    EXPECT_GT(agree, 0.97 * checked);
}

/** A flow with broad coordinates and random, gentle splines, so that a Gaussian in Cartesian coordinates
 * overlaps with it. */
Flow makeBroadFlow(int numParticles, double bond, double bondScale, double angle, double angleScale) {
    InternalFlowModel::Configuration configuration;
    configuration.couplings = 2;
    configuration.hidden = 16;
    configuration.bins = configuration.linearBins = 5;
    InternalCoordinates coordinates = makeCoordinates(numParticles, bond, bondScale, angleScale);
    fill_n(coordinates.center.begin() + numParticles - 1, numParticles - 2, angle);
    vector<SplineCoupling> couplings = InternalFlowModel(coordinates, configuration, 3).getCouplings();
    mt19937 generator(numParticles + 40);
    normal_distribution<double> normal;
    for (SplineCoupling& coupling : couplings) {
        for (double& w : coupling.output.weight)
            w = 0.02 * normal(generator);
        for (double& b : coupling.output.bias)
            b = 0.1 * normal(generator);
    }
    return Flow(make_shared<InternalFlowModel>(coordinates, configuration, couplings));
}

/**
 * The integral of q is 1: E_q[r/q] = 1 with r a known density on the zero-centre subspace, log r =
 * logR(positions). This fails if the Jacobian of the internal coordinates, the constant, the log-derivative
 * of a spline or the noise is wrong.
 */
void expectNormalised(FlowContext& context, const function<double(const double*)>& logR) {
    const int samples = 60000, size = 3 * context.getFlow().getNumParticles();
    vector<double> positions, logQ;
    context.sample(samples, positions, logQ, 123);
    double sum = 0, sumOfSquares = 0, logSum = 0, logSquares = 0;
    int inside = 0;
    for (int k = 0; k < samples; k++) {
        const double ratio = exp(logR(positions.data() + size * k) - logQ[k]);
        sum += ratio;
        sumOfSquares += ratio * ratio;
        if (!isinf(logQ[k])) {
            inside++;
            logSum += logQ[k];
            logSquares += logQ[k] * logQ[k];
        }
    }
    const double mean = sum / samples, error = sqrt((sumOfSquares / samples - mean * mean) / samples);
    EXPECT_NEAR(mean, 1.0, 4 * error);
    EXPECT_LT(error, 0.02);
    EXPECT_GT(sum * sum / sumOfSquares / samples, 0.1) << "the efficiency of the test itself";
    EXPECT_GT(sqrt(logSquares / inside - pow(logSum / inside, 2)), 1.0) << "the spread of log q";
}

double logGaussian(double square, double sigma, int dimension) {
    return -0.5 * square / (sigma * sigma) - 0.5 * dimension * log(2 * M_PI * sigma * sigma);
}

TEST_P(FlowKernelTest, DensityOfThreeParticlesIsNormalised) {
    auto context = makeContext(makeBroadFlow(3, 1.6, 0.7, 1.1, 0.5));
    expectNormalised(*context, [](const double* r) {
        double square = 0;
        for (int i = 0; i < 9; i++)
            square += r[i] * r[i];
        return logGaussian(square, 0.6, 6);
    });
}

/** Four particles and independent Gaussian bond vectors; from these to the zero-centre subspace it is
 * 4^(3/2). */
TEST_P(FlowKernelTest, DensityOfFourParticlesIsNormalised) {
    const Flow flow = makeBroadFlow(4, 1.6, 0.8, M_PI / 2, 0.75);
    const auto& placements =
        dynamic_cast<const InternalFlowModel&>(flow.getModel()).getCoordinates().placements;
    auto context = makeContext(flow);
    expectNormalised(*context, [&](const double* r) {
        double square = 0;
        for (int i = 1; i < 4; i++)
            for (int axis = 0; axis < 3; axis++)
                square += pow(r[3 * placements[i].atom + axis] - r[3 * placements[i].bond + axis], 2);
        return logGaussian(square, 1.0, 9) + 1.5 * log(4.0);
    });
}

TEST_P(FlowKernelTest, BadArgumentsAreExplained) {
    const Flow flow = makeRandomFlow(5, Activation::SiLU, 2);
    auto context = makeContext(flow);
    vector<double> positions(14), logQ;
    EXPECT_THROW(context->computeLogDensity(positions), OpenMMException);
    EXPECT_THROW(context->sample(-1, positions, logQ), OpenMMException);
    Platform& platform = Platform::getPlatformByName(GetParam().platform);
    EXPECT_THROW(FlowContext(flow, platform, {{"Colour", "blue"}}), OpenMMException);
    EXPECT_THROW(FlowContext(flow, platform, {{"Precision", "half"}}), OpenMMException);
}

INSTANTIATE_TEST_SUITE_P(Platforms, FlowKernelTest, testing::ValuesIn(getPlatformsUnderTest()),
                         [](const auto& info) { return tests::describe(info.param); });

}  // namespace
