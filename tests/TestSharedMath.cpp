// The shared maths on doubles: every derivative against finite differences, every inverse against its
// function.

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "shared/DoubleMath.h"

using namespace OpenMMFlow::shared;

namespace {

SplineShape makeShape(int bins, int ends) {
    const double minDerivative = 1e-3;
    const double upper = ends == SPLINE_CIRCULAR ? M_PI : 5.0,
                 lower = ends == SPLINE_FREE_ENDS ? 0.5 : -upper;
    return {bins, lower, upper, 1e-3, minDerivative, std::log(std::exp(1 - minDerivative) - 1)};
}

class Splines : public testing::TestWithParam<std::tuple<int, int>> {
protected:
    int bins = std::get<0>(GetParam()), ends = std::get<1>(GetParam());
    bool circular = ends == SPLINE_CIRCULAR;
    SplineShape shape = makeShape(bins, ends);
    std::mt19937 generator{17u + bins + 100 * ends};
    std::normal_distribution<double> normal;

    std::vector<double> randomParameters() {
        std::vector<double> parameters(2 * bins + countSplineDerivatives(bins, ends) + circular);
        for (double& p : parameters)
            p = 1.5 * normal(generator);
        return parameters;
    }
    /** On the spline, and where it has tails also there. */
    double randomArgument() {
        const double center = (shape.lower + shape.upper) / 2, half = (shape.upper - shape.lower) / 2;
        return center
               + half * (circular ? 0.999 : 1.3) * std::uniform_real_distribution<double>(-1, 1)(generator);
    }
};

TEST_P(Splines, ZeroParametersAreTheIdentity) {
    std::vector<double> zero(3 * bins + 1, 0.0);
    for (double x = 0.99 * shape.lower; x < shape.upper; x += 0.1) {
        SplineResult y = splineForward(x, zero.data(), 1, shape, ends);
        EXPECT_NEAR(y.value, x, 1e-13);
        EXPECT_NEAR(y.logDerivative, 0, 1e-13);
    }
}

TEST_P(Splines, InverseUndoesForward) {
    for (int i = 0; i < 500; i++) {
        std::vector<double> parameters = randomParameters();
        double x = randomArgument();
        SplineResult y = splineForward(x, parameters.data(), 1, shape, ends);
        SplineResult back = splineInverse(y.value, parameters.data(), 1, shape, ends);
        EXPECT_NEAR(circular ? wrapAngle(back.value - x) : back.value - x, 0, 1e-9);
        EXPECT_NEAR(back.logDerivative, -y.logDerivative, 1e-8);
    }
}

TEST_P(Splines, LogDerivativeIsThatOfTheValue) {
    const double h = 1e-6;
    int checked = 0;
    for (int i = 0; i < 500; i++) {
        std::vector<double> parameters = randomParameters();
        double x = randomArgument();
        double slope = std::exp(splineForward(x, parameters.data(), 1, shape, ends).logDerivative);
        double difference = splineForward(x + h, parameters.data(), 1, shape, ends).value
                            - splineForward(x - h, parameters.data(), 1, shape, ends).value;
        if (circular)
            difference = wrapAngle(difference);
        if (std::min(std::fabs(x - shape.lower), std::fabs(x - shape.upper)) < 2 * h)
            continue;
        EXPECT_NEAR(difference / (2 * h), slope, 2e-4 * std::max(1.0, slope));
        checked++;
    }
    EXPECT_GT(checked, 450);
}

TEST_P(Splines, AdjointOfTheInverseAgreesWithFiniteDifferences) {
    const double h = 1e-6;
    int checked = 0;
    for (int i = 0; i < 200; i++) {
        std::vector<double> parameters = randomParameters(), adjoint(parameters.size());
        double y = randomArgument(), a = normal(generator), b = normal(generator);
        auto worth = [&](double y, const std::vector<double>& parameters) {
            SplineResult r = splineInverse(y, parameters.data(), 1, shape, ends);
            return a * r.value + b * r.logDerivative;
        };
        double yAdjoint = splineInverseAdjoint(y, parameters.data(), 1, shape, ends, a, b, 1, adjoint.data());
        auto expectDerivative = [&](double plus, double minus, double analytic) {
            // A jump of 2 pi or a knot between the two points shows up as disagreement between step sizes;
            // such a point is left out, and few may be.
            double numeric = (plus - minus) / (2 * h);
            double error = std::fabs(numeric - analytic) / std::max(1.0, std::fabs(analytic));
            checked += error < 1e-3;
        };
        expectDerivative(worth(y + h, parameters), worth(y - h, parameters), yAdjoint);
        for (size_t k = 0; k < parameters.size(); k++) {
            std::vector<double> plus = parameters, minus = parameters;
            plus[k] += h;
            minus[k] -= h;
            expectDerivative(worth(y, plus), worth(y, minus), adjoint[k]);
        }
    }
    const int total = 200 * (1 + (int)randomParameters().size());
    EXPECT_GT(checked, 0.998 * total);
}

TEST_P(Splines, EndsHaveTheDerivativesOfTheirTails) {
    if (ends != SPLINE_FREE_ENDS)
        GTEST_SKIP() << "only free ends have derivatives of their own";
    const std::vector<double> parameters = randomParameters();
    for (auto [end, beyond] : {std::pair{shape.lower, shape.lower - 1}, {shape.upper, shape.upper + 1}}) {
        const SplineResult forward = splineForward(end, parameters.data(), 1, shape, ends);
        EXPECT_EQ(forward.value, end);
        EXPECT_EQ(forward.logDerivative,
                  splineForward(beyond, parameters.data(), 1, shape, ends).logDerivative);
        EXPECT_EQ(splineInverse(end, parameters.data(), 1, shape, ends).logDerivative,
                  splineInverse(beyond, parameters.data(), 1, shape, ends).logDerivative);
        std::vector<double> atEnd(parameters.size()), outside(parameters.size());
        splineInverseAdjoint(end, parameters.data(), 1, shape, ends, 0, 1, 1, atEnd.data());
        splineInverseAdjoint(beyond, parameters.data(), 1, shape, ends, 0, 1, 1, outside.data());
        EXPECT_EQ(atEnd, outside);
    }
}

TEST(SharedMath, CircularFeaturesAreHarmonicsAndTheirProducts) {
    const int harmonics = 7, stride = 2;
    const double a = 2.3, b = -0.4;
    std::vector<double> ofA(2 * harmonics * stride), ofB = ofA, products(4 * stride);
    circularFeatures(a, harmonics, stride, ofA.data());
    circularFeatures(b, harmonics, stride, ofB.data());
    for (int k = 0; k < harmonics; k++) {
        EXPECT_NEAR(ofA[2 * k * stride], std::cos((k + 1) * a), 1e-14);
        EXPECT_NEAR(ofA[(2 * k + 1) * stride], std::sin((k + 1) * a), 1e-14);
    }
    featureProducts(ofA.data(), ofB.data(), stride, products.data());
    const double expected[] = {std::cos(a) * std::cos(b), std::cos(a) * std::sin(b),
                               std::sin(a) * std::cos(b), std::sin(a) * std::sin(b)};
    for (int i = 0; i < 4; i++)
        EXPECT_NEAR(products[i * stride], expected[i], 1e-15);
}

TEST(SharedMath, AdjointOfCircularFeaturesAgreesWithFiniteDifferences) {
    const int harmonics = 3, numFeatures = 2 * harmonics;
    std::mt19937 generator(5);
    std::normal_distribution<double> normal;
    // What each feature of a, of b, and each product is worth.
    std::vector<double> worth(2 * numFeatures + 4);
    for (double& w : worth)
        w = normal(generator);
    auto evaluate = [&](double a, double b, std::vector<double>& features) {
        circularFeatures(a, harmonics, 1, &features[0]);
        circularFeatures(b, harmonics, 1, &features[numFeatures]);
        featureProducts(&features[0], &features[numFeatures], 1, &features[2 * numFeatures]);
        double sum = 0;
        for (size_t i = 0; i < features.size(); i++)
            sum += worth[i] * features[i];
        return sum;
    };
    const double a = -2.9, b = 0.7, h = 1e-6;
    std::vector<double> features(worth.size()), scratch(worth.size()), adjoint = worth;
    evaluate(a, b, features);
    featureProductsAdjoint(&features[0], &features[numFeatures], &adjoint[2 * numFeatures], 1, &adjoint[0],
                           &adjoint[numFeatures]);
    EXPECT_NEAR(circularFeaturesAdjoint(&features[0], &adjoint[0], harmonics, 1),
                (evaluate(a + h, b, scratch) - evaluate(a - h, b, scratch)) / (2 * h), 1e-8);
    EXPECT_NEAR(circularFeaturesAdjoint(&features[numFeatures], &adjoint[numFeatures], harmonics, 1),
                (evaluate(a, b + h, scratch) - evaluate(a, b - h, scratch)) / (2 * h), 1e-8);
}

TEST(SharedMath, SoftplusHasDigitsWhereItIsSmall) {
    for (double u : {-36.0, -30.0, -20.0, -3.0, 0.0, 2.0, 30.0})
        EXPECT_NEAR(softplus(u) / (std::max(u, 0.0) + std::log1p(std::exp(-std::fabs(u)))), 1, 1e-14) << u;
}

TEST(SharedMath, VolumeOfSphericalCoordinatesIsThatOfTheMapBeyondPi) {
    const double single = (float)M_PI;
    ASSERT_GT(single, M_PI);
    const real3 s = make_real3(1.7, single, 0.4);
    EXPECT_NEAR(logVolumeOfSpherical(s), 2 * std::log(1.7) + std::log(single - M_PI), 1e-6);
    EXPECT_NEAR(logVolumeOfSpherical(s), logVolumeOfPoint(fromSpherical(s)), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Sizes, Splines,
                         testing::Combine(testing::Values(2, 8, 32),
                                          testing::Values(SPLINE_IDENTITY_TAILS, SPLINE_CIRCULAR,
                                                          SPLINE_FREE_ENDS)));

class Geometry : public testing::Test {
protected:
    std::mt19937 generator{5};
    std::normal_distribution<double> normal;
    real3 random() { return {normal(generator), normal(generator), normal(generator)}; }
};

TEST_F(Geometry, PlacedAtomHasItsCoordinates) {
    for (int i = 0; i < 200; i++) {
        real3 p = random(), g = random(), t = random();
        double bond = 0.1 + std::fabs(normal(generator)), angle = 0.05 + 3.0 * (i + 0.5) / 200,
               torsion = wrapAngle(2.0 * i);
        real3 atom = placeAtom(p, g, t, bond, angle, torsion);
        EXPECT_NEAR(measureBond(atom, p), bond, 1e-12);
        EXPECT_NEAR(measureAngle(atom, p, g), angle, 1e-11);
        EXPECT_NEAR(wrapAngle(measureTorsion(atom, p, g, t) - torsion), 0, 1e-10);
    }
}

TEST_F(Geometry, TorsionHasTheSignOfIUPAC) {
    // Looking along b-c, the far bond is clockwise of the near one: positive.
    EXPECT_NEAR(measureTorsion({1, 0, 0}, {0, 0, 0}, {0, 0, 1}, {0, 1, 1}), M_PI / 2, 1e-14);
}

TEST_F(Geometry, GradientsAgreeWithFiniteDifferences) {
    const double h = 1e-6;
    for (int i = 0; i < 100; i++) {
        real3 r[4] = {random(), random(), random(), random()};
        TorsionGradient torsion = torsionGradient(r[0], r[1], r[2], r[3]);
        const real3 torsionParts[4] = {torsion.a, torsion.b, torsion.c, torsion.d};
        AngleGradient angle = angleGradient(r[0], r[1], r[2]);
        const real3 angleParts[3] = {angle.a, make_real3(0, 0, 0) - angle.a - angle.c, angle.c};
        for (int atom = 0; atom < 4; atom++)
            for (int axis = 0; axis < 3; axis++) {
                real* x = &r[atom].x + axis;
                const real x0 = *x;
                *x = x0 + h;
                double torsionUp = measureTorsion(r[0], r[1], r[2], r[3]),
                       angleUp = measureAngle(r[0], r[1], r[2]);
                *x = x0 - h;
                double torsionDown = measureTorsion(r[0], r[1], r[2], r[3]),
                       angleDown = measureAngle(r[0], r[1], r[2]);
                *x = x0;
                double analytic = *(&torsionParts[atom].x + axis);
                EXPECT_NEAR(wrapAngle(torsionUp - torsionDown) / (2 * h), analytic,
                            1e-6 * (1 + std::fabs(analytic) * 100));
                if (atom < 3) {
                    EXPECT_NEAR((angleUp - angleDown) / (2 * h), *(&angleParts[atom].x + axis), 1e-5);
                }
            }
    }
}

TEST_F(Geometry, ForcesOnDirectionsAgreeWithFiniteDifferences) {
    const double h = 1e-6;
    for (int i = 0; i < 50; i++) {
        real3 r[2] = {random(), random()};
        const real3 p = random(), force = random();
        const DirectionForces forces = forcesOnDirections(makeLocalAxes(r[0], r[1]), p, force);
        const real3 parts[2] = {forces.x, forces.y};
        auto work = [&] { return dotProduct(force, pointInAxes(makeLocalAxes(r[0], r[1]), p)); };
        for (int direction = 0; direction < 2; direction++)
            for (int axis = 0; axis < 3; axis++) {
                real* x = &r[direction].x + axis;
                const real x0 = *x;
                *x = x0 + h;
                const double up = work();
                *x = x0 - h;
                const double down = work();
                *x = x0;
                const double analytic = *(&parts[direction].x + axis);
                EXPECT_NEAR((up - down) / (2 * h), analytic, 1e-6 * (1 + std::fabs(analytic) * 100));
            }
    }
}

TEST_F(Geometry, RotationKeepsLengthsAndHand) {
    for (int i = 0; i < 20; i++) {
        double q[4];
        for (double& x : q)
            x = normal(generator);
        real3 a = random(), b = random(), c = random();
        auto rotate = [&](real3 r) { return rotateVector(q[0], q[1], q[2], q[3], r); };
        EXPECT_NEAR(dotProduct(rotate(a), crossProduct(rotate(b), rotate(c))),
                    dotProduct(a, crossProduct(b, c)), 1e-12);
        EXPECT_NEAR(norm(rotate(a)), norm(a), 1e-12);
    }
}

}  // namespace
