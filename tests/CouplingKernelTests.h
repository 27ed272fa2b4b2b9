// What every platform must do with the coupling flows, run on each by a shim that defines
// getPlatformsUnderTest().

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "FlowKernelFixture.h"
#include "RandomCouplingFlow.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/FlowContext.h"
#include "shared/DoubleMath.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace std;

vector<tests::PlatformUnderTest> getPlatformsUnderTest();

namespace {

using tests::findMedian;
using tests::findQuantile;

using PlatformAndVariant = tuple<tests::PlatformUnderTest, CouplingVariant>;

class CouplingKernelTest : public testing::TestWithParam<PlatformAndVariant>,
                           protected tests::FlowKernelFixture {
protected:
    CouplingKernelTest() : FlowKernelFixture(get<0>(GetParam())) {}
    const CouplingVariant& variant = get<1>(GetParam());
    /** A gentler one in single precision: few trained flows are as ill-conditioned as random ones. */
    const Flow flow = makeRandomCouplingFlow(variant, 7, isDouble() ? 1 : 0.4);
    const CouplingModel& model = dynamic_cast<const CouplingModel&>(flow.getModel());
    const int numParticles = variant.numParticles, numPositions = numParticles * (variant.copies + 1),
              size = 3 * numPositions;
    unique_ptr<FlowContext> context = makeContext(flow);

    vector<double> drawJoint(int count, uint64_t seed) const {
        vector<double> positions, logQ;
        makeTruth(flow)->sampleJoint(count, positions, logQ, seed);
        return positions;
    }
    /** The differences of log q between two sets of configurations, where both are finite. */
    static vector<double> compare(const vector<double>& a, const vector<double>& b) {
        vector<double> errors;
        for (size_t k = 0; k < a.size(); k++)
            if (isfinite(a[k]) && isfinite(b[k]))
                errors.push_back(fabs(a[k] - b[k]));
        EXPECT_GT(errors.size(), 0.95 * a.size());
        return errors;
    }
    /** Random flows are worse conditioned than trained ones, a few of their samples much worse; frames are
     * what does most of it. */
    void expectSmall(const vector<double>& errors, double median) const {
        EXPECT_LT(findMedian(errors), isDouble() ? median : 1e-4);
        EXPECT_LT(findQuantile(errors, 0.97), isDouble() ? 100 * median : 1e-2);
    }
    /** log q after a linear map (3, 3) of all positions and a shift. */
    vector<double> logDensityOfMapped(vector<double> positions, const vector<double>& matrix) const {
        for (size_t i = 0; i < positions.size(); i += 3) {
            const vector<double> r(&positions[i], &positions[i] + 3);
            for (int axis = 0; axis < 3; axis++)
                positions[i + axis] = inner_product(r.begin(), r.end(), &matrix[3 * axis], 0.3 * (axis + 1));
        }
        return context->computeJointLogDensity(positions);
    }
};

TEST_P(CouplingKernelTest, SamplesAreThoseOfReference) {
    vector<double> positions, logQ, truePositions, trueLogQ, errors;
    context->sampleJoint(100, positions, logQ, 5, 1000);
    makeTruth(flow)->sampleJoint(100, truePositions, trueLogQ, 5, 1000);
    for (size_t i = 0; i < positions.size(); i++)
        errors.push_back(fabs(positions[i] - truePositions[i]));
    EXPECT_LT(findMedian(errors), positionTolerance());
    EXPECT_LT(findQuantile(errors, 0.97), 30 * positionTolerance());
    expectSmall(compare(logQ, trueLogQ), 1e-10);
    for (size_t k = 0; k < logQ.size(); k++)
        for (int axis = 0; axis < 3; axis++) {
            double center = 0;
            for (int i = 0; i < numParticles; i++)
                center += positions[size * k + 3 * i + axis];
            EXPECT_NEAR(center, 0, 1e-5);
        }
}

TEST_P(CouplingKernelTest, ASampleIsTheSameInEveryBatch) {
    vector<double> all, allLogQ, part, partLogQ;
    context->sampleJoint(70, all, allLogQ, 77, 0);
    for (auto [first, count] : {pair{0, 1}, {1, 15}, {16, 33}, {69, 1}}) {
        context->sampleJoint(count, part, partLogQ, 77, first);
        for (int i = 0; i < count * size; i++)
            ASSERT_NEAR(part[i], all[first * size + i], 30 * positionTolerance());
        for (int i = 0; i < count; i++)
            ASSERT_NEAR(partLogQ[i], allLogQ[first + i], logTolerance());
    }
    context->sampleJoint(0, part, partLogQ);
    EXPECT_TRUE(part.empty());
}

/** A platform may have another way for one configuration than for many. */
TEST_P(CouplingKernelTest, OneConfigurationHasTheGradientOfMany) {
    const vector<double> positions = drawJoint(20, 4);
    vector<double> logQ, gradient, oneLogQ, oneGradient, errors, gradientErrors;
    context->computeJointLogDensityGradient(positions, logQ, gradient);
    for (int k = 0; k < 20; k++) {
        const vector<double> one(&positions[k * size], &positions[k * size] + size);
        context->computeJointLogDensityGradient(one, oneLogQ, oneGradient);
        errors.push_back(fabs(oneLogQ[0] - logQ[k]));
        double difference = 0, square = 0;
        for (int i = 0; i < size; i++) {
            difference += pow(oneGradient[i] - gradient[k * size + i], 2);
            square += pow(gradient[k * size + i], 2);
        }
        gradientErrors.push_back(sqrt(difference / square));
        EXPECT_EQ(context->computeJointLogDensity(one), oneLogQ);
    }
    EXPECT_LT(findMedian(errors), isDouble() ? 1e-10 : 2e-3);
    EXPECT_LT(findMedian(gradientErrors), isDouble() ? 1e-9 : 1e-2);
}

TEST_P(CouplingKernelTest, LogDensityOfASampleIsWhatItCameWith) {
    vector<double> positions, logQ;
    context->sampleJoint(200, positions, logQ, 1);
    expectSmall(compare(context->computeJointLogDensity(positions), logQ), 1e-9);
}

TEST_P(CouplingKernelTest, LogDensityAndGradientAreThoseOfReference) {
    const vector<double> positions = drawJoint(70, 9);
    vector<double> logQ, trueLogQ, gradient, trueGradient, errors;
    makeTruth(flow)->computeJointLogDensityGradient(positions, trueLogQ, trueGradient);
    context->computeJointLogDensityGradient(positions, logQ, gradient);
    expectSmall(compare(logQ, trueLogQ), 1e-10);
    for (size_t k = 0; k < logQ.size(); k++) {
        double difference = 0, square = 0;
        for (size_t i = k * size; i < (k + 1) * size; i++) {
            difference += pow(gradient[i] - trueGradient[i], 2);
            square += pow(trueGradient[i], 2);
            if (variant.dimensions == 2 && i % 3 == 2) {
                ASSERT_EQ(gradient[i], 0);
            }
        }
        errors.push_back(sqrt(difference / square));
    }
    EXPECT_LT(findMedian(errors), isDouble() ? 1e-9 : 1e-2);
    EXPECT_LT(findQuantile(errors, 0.95), isDouble() ? 1e-7 : 0.3);
    const vector<double> one(&positions[3 * size], &positions[4 * size]);
    vector<double> oneGradient;
    EXPECT_NEAR(context->computeJointLogDensityOfOne(one, &oneGradient), logQ[3], logTolerance());
    ASSERT_EQ(oneGradient.size(), (size_t)size);
}

TEST_P(CouplingKernelTest, LogDensityIsInvariantToWhatTheFlowIsEquivariantTo) {
    const vector<double> positions = drawJoint(64, 4);
    const vector<double> before = context->computeJointLogDensity(positions);
    const double bound = 1e-10;
    const double c = cos(0.7), s = sin(0.7);
    const vector<double> rotated = logDensityOfMapped(positions, {c, -s, 0, s, c, 0, 0, 0, 1});
    if (variant.isEquivariant)
        expectSmall(compare(before, rotated), bound);
    else {
        EXPECT_GT(findMedian(compare(before, rotated)), 1e-3);
        expectSmall(compare(before, logDensityOfMapped(positions, {1, 0, 0, 0, 1, 0, 0, 0, 1})), bound);
    }
    const vector<double> reflection = {-1, 0, 0, 0, 1, 0, 0, 0, 1};
    const vector<double> reflected = logDensityOfMapped(positions, reflection);
    const bool isRadial = variant.transform == EquivariantCouplingModel::Transform::Vector;
    if (variant.reflections || isRadial)
        expectSmall(compare(before, reflected), bound);
    else {
        EXPECT_GT(findMedian(compare(before, reflected)), 1e-3);
    }
    if (variant.dimensions == 3 && variant.isEquivariant) {
        const double x = 0.36, y = 0.48, z = 0.8;
        expectSmall(compare(before, logDensityOfMapped(positions, {2 * x * x - 1, 2 * x * y, 2 * x * z,
                                                                   2 * x * y, 2 * y * y - 1, 2 * y * z,
                                                                   2 * x * z, 2 * y * z, 2 * z * z - 1})),
                    bound);
    }
    if (variant.dimensions == 2) {
        vector<double> lifted = positions;
        for (size_t i = 2; i < lifted.size(); i += 3)
            lifted[i] = 0.1 * i;
        expectSmall(compare(before, context->computeJointLogDensity(lifted)), bound);
    }
}

TEST_P(CouplingKernelTest, LogDensityIsInvariantToPermutationsOfParticlesOfOneType) {
    if (variant.bonds)
        GTEST_SKIP() << "the bonds of the base tell the particles apart";
    const vector<double> positions = drawJoint(64, 4);
    vector<double> permuted = positions;
    // Particle 0 and the last of its type.
    int other = numParticles - 1;
    while (model.getParticles().types[other] != model.getParticles().types[0])
        other--;
    ASSERT_GT(other, 0);
    for (size_t first = 0; first < positions.size(); first += 3 * numParticles)
        swap_ranges(&permuted[first], &permuted[first + 3], &permuted[first + 3 * other]);
    const vector<double> before = context->computeJointLogDensity(positions);
    expectSmall(compare(before, context->computeJointLogDensity(permuted)), 1e-10);
    if (variant.types) {
        vector<double> mixed = positions;
        for (size_t first = 0; first < positions.size(); first += 3 * numParticles)
            swap_ranges(&mixed[first], &mixed[first + 3], &mixed[first + 3]);
        EXPECT_GT(findMedian(compare(before, context->computeJointLogDensity(mixed))), 1e-3);
    }
}

TEST_P(CouplingKernelTest, ANaNSpoilsOnlyItsOwnSample) {
    vector<double> positions = drawJoint(40, 1), logQ, gradient;
    const vector<double> before = context->computeJointLogDensity(positions);
    positions[size * 7 + 4] = NAN;
    positions[size * 9 + 3 * numParticles] = INFINITY;
    context->computeJointLogDensityGradient(positions, logQ, gradient);
    for (int k = 0; k < 40; k++)
        if (k == 7 || k == 9) {
            EXPECT_TRUE(isnan(logQ[k]));
            EXPECT_TRUE(isnan(gradient[size * k]));
        } else {
            EXPECT_EQ(before[k], logQ[k]);
        }
}

TEST_P(CouplingKernelTest, ADegenerateConfigurationHasNoDensity) {
    // All particles of a cloud in one place: the network has no direction to make a frame from.
    vector<double> positions(size), gradient;
    const double logQ = context->computeJointLogDensityOfOne(positions, &gradient);
    if (!variant.hasFrames()) {
        EXPECT_TRUE(isfinite(logQ)) << "a distance or a coordinate needs no frame";
    } else {
        EXPECT_EQ(logQ, -numeric_limits<double>::infinity());
        EXPECT_TRUE(isnan(gradient[0]));
    }
}

TEST_P(CouplingKernelTest, ASymmetricConfigurationSpansNoFrame) {
    if (variant.dimensions == 2 || !variant.hasFrames() || numParticles != 3)
        GTEST_SKIP() << "one direction is enough";
    // Particle 0 is as far from 1 as from 2, in x and in a, so that all its vectors lie on one line.
    vector<double> positions;
    for (int cloud = 0; cloud <= variant.copies; cloud++)
        positions.insert(positions.end(), {1.0 + cloud, 0, 0, 0, 1, 0, 0, -1, 0});
    EXPECT_EQ(makeTruth(flow)->computeJointLogDensity(positions)[0], -numeric_limits<double>::infinity());
}

/** The integral of the joint density is 1: E_q[r/q] = 1 with r a known Gaussian. */
TEST_P(CouplingKernelTest, JointDensityIsNormalised) {
    if (numParticles > 4 || variant.copies > 1)
        GTEST_SKIP() << "the efficiency of the test falls with the number of dimensions";
    const Flow gentle = makeRandomCouplingFlow(variant, 7, 0.07);
    const auto& base = model.getBase();
    const int samples = 20000, dimensions = variant.dimensions;
    vector<double> positions, logQ;
    makeContext(gentle)->sampleJoint(samples, positions, logQ, 123);
    double sum = 0, sumOfSquares = 0, logSum = 0, logSquares = 0;
    const double wide = 1.05;
    for (int k = 0; k < samples; k++) {
        double logR = -dimensions * (numParticles - 1) * log(sqrt(2 * M_PI) * wide * base.scale)
                      - dimensions * numParticles * log(sqrt(2 * M_PI) * wide * base.augmentedScale);
        for (int i = 0; i < 3 * numParticles; i++) {
            const double x = positions[size * k + i], a = positions[size * k + 3 * numParticles + i];
            logR -=
                0.5 * pow(x / (wide * base.scale), 2) + 0.5 * pow((a - x) / (wide * base.augmentedScale), 2);
        }
        const double ratio = exp(logR - logQ[k]);
        sum += ratio;
        sumOfSquares += ratio * ratio;
        logSum += logQ[k];
        logSquares += logQ[k] * logQ[k];
    }
    const double mean = sum / samples, error = sqrt((sumOfSquares / samples - mean * mean) / samples);
    EXPECT_NEAR(mean, 1.0, 4 * error);
    EXPECT_LT(error, 0.02);
    EXPECT_GT(sum * sum / sumOfSquares / samples, 0.1) << "the efficiency of the test itself";
    EXPECT_GT(sqrt(logSquares / samples - pow(logSum / samples, 2)), 1.0) << "the spread of log q";
}

TEST_P(CouplingKernelTest, SamplesCarryTheDensityThatWeightsTake) {
    vector<double> joint, jointLogQ, positions, logQ;
    context->sampleJoint(30, joint, jointLogQ, 3, 5);
    context->sample(30, positions, logQ, 3, 5);
    const double scale = model.getParticles().augmentedScale;
    for (int k = 0; k < 30; k++) {
        double logConditional = 0;
        for (int i = 0; i < 3 * numParticles; i++)
            EXPECT_EQ(positions[3 * numParticles * k + i], joint[size * k + i]);
        for (int i = 3 * numParticles; i < size; i++)
            if (i % 3 < variant.dimensions)
                logConditional -=
                    0.5 * pow((joint[size * k + i] - joint[size * k + i % (3 * numParticles)]) / scale, 2)
                    + log(sqrt(2 * M_PI) * scale);
        EXPECT_NEAR(logQ[k], jointLogQ[k] - logConditional, 1e-9 * fabs(logQ[k]));
    }
}

TEST_P(CouplingKernelTest, GradientOfTheMarginalIsThatOfItsEstimate) {
    vector<double> positions = drawJoint(3, 6), logQ, gradient;
    vector<double> x;
    for (int k = 0; k < 3; k++)
        x.insert(x.end(), &positions[size * k], &positions[size * k] + 3 * numParticles);
    auto truth = makeTruth(flow);
    context->computeLogDensityGradient(x, logQ, gradient, 4, 11);
    const vector<double> again = context->computeLogDensity(x, 4, 11);
    int agree = 0, checked = 0;
    for (size_t i = 0; i < x.size(); i++) {
        const double h = 1e-6 * variant.lengthUnit;
        double square = 0;
        for (size_t j = i / (3 * numParticles) * 3 * numParticles, n = 0; n < (size_t)3 * numParticles;
             n++, j++)
            square = max(square, fabs(gradient[j]));
        vector<double> moved = x;
        moved[i] += h;
        const double up = truth->computeLogDensity(moved, 4, 11)[i / (3 * numParticles)];
        moved[i] -= 2 * h;
        const double down = truth->computeLogDensity(moved, 4, 11)[i / (3 * numParticles)];
        checked++;
        agree += fabs((up - down) / (2 * h) - gradient[i]) < (isDouble() ? 1e-4 : 0.1) * square;
    }
    EXPECT_GE(agree, 0.9 * checked);
    for (int k = 0; k < 3; k++)
        EXPECT_NEAR(again[k], logQ[k], logTolerance());
    EXPECT_GT(fabs(context->computeLogDensity(x, 4, 12)[0] - again[0]), 1e-6) << "another seed";
}

INSTANTIATE_TEST_SUITE_P(Variants, CouplingKernelTest,
                         testing::Combine(testing::ValuesIn(getPlatformsUnderTest()),
                                          testing::ValuesIn(getCouplingVariants())),
                         [](const auto& info) {
                             return tests::describe(get<0>(info.param)) + "_" + get<1>(info.param).name;
                         });

class MarginalTest : public testing::TestWithParam<tests::PlatformUnderTest>,
                     protected tests::FlowKernelFixture {
protected:
    MarginalTest() : FlowKernelFixture(GetParam()) {}
};

/**
 * A flow that is the identity is a Gaussian with a known marginal. With a narrower than sqrt(2) times
 * pi(a|x), the estimate's exponential has the density as its mean, and a variance in proportion to 1/K.
 */
TEST_P(MarginalTest, EstimateIsUnbiasedAndImprovesWithDraws) {
    EquivariantCouplingModel::Particles particles;
    particles.types = {0, 0, 0};
    particles.augmentedScale = 0.3;
    EquivariantCouplingModel::Base base;
    base.scale = 0.7;
    base.augmentedScale = 0.35;
    EquivariantCouplingModel::Configuration configuration;
    configuration.layers = 1;
    configuration.hidden = configuration.features = configuration.headHidden = 6;
    const Flow flow(make_shared<EquivariantCouplingModel>(particles, base, configuration, 3));
    auto context = makeContext(flow);
    const vector<double> x = {0.4, 0.1, -0.3, 0.2, -0.5, 0.6, -0.6, 0.4, -0.3};
    double square = 0;
    for (double coordinate : x)
        square += coordinate * coordinate;
    const double exact = -0.5 * square / (0.7 * 0.7) - 6 * log(sqrt(2 * M_PI) * 0.7);
    vector<double> many;
    for (int copy = 0; copy < 4000; copy++)
        many.insert(many.end(), x.begin(), x.end());
    double variances[2];
    for (int which = 0; which < 2; which++) {
        const int draws = which == 0 ? 1 : 8;
        const vector<double> logQ = context->computeLogDensity(many, draws, 5);
        double sum = 0, squares = 0;
        for (double value : logQ) {
            sum += exp(value - exact) / 4000;
            squares += exp(2 * (value - exact)) / 4000;
        }
        variances[which] = squares - sum * sum;
        EXPECT_NEAR(sum, 1, 4 * sqrt(variances[which] / 4000));
        EXPECT_GT(variances[which], 0.001) << "the draws must differ for the test to mean anything";
    }
    EXPECT_NEAR(variances[0] / variances[1], 8, 2);
}

TEST_P(MarginalTest, BadArgumentsAreExplained) {
    const Flow flow = makeRandomCouplingFlow(getEquivariantVariants()[0], 2);
    auto context = makeContext(flow);
    vector<double> positions(13), logQ;
    EXPECT_THROW(context->computeLogDensity(positions), OpenMMException);
    EXPECT_THROW(context->computeJointLogDensity(positions), OpenMMException);
    EXPECT_THROW(context->sampleJoint(-1, positions, logQ), OpenMMException);
    EXPECT_THROW(context->computeLogDensity(vector<double>(12), 0), OpenMMException);
}

INSTANTIATE_TEST_SUITE_P(Platforms, MarginalTest, testing::ValuesIn(getPlatformsUnderTest()),
                         [](const auto& info) { return tests::describe(info.param); });

}  // namespace
