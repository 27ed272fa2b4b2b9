// The shape k of the tail of importance weights, against arviz.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "openmmflow/internal/ParetoSmoothing.h"

using OpenMMFlow::fitParetoShape;

namespace {

const double infinity = std::numeric_limits<double>::infinity();

struct Oracle {
    std::string kind;
    int count;
    double scale, k;
};

const Oracle oracles[] = {
#include "oracles/pareto_k.inc"
};

/** The formulas of oracles/pareto_k.py. */
std::vector<double> makeLogWeights(const std::string& kind, int count, double scale) {
    std::vector<double> logWeights(count);
    for (int i = 0; i < count; i++) {
        const double u = std::fmod((i + 1) * 0.6180339887498949, 1.0);
        double& logWeight = logWeights[i];
        if (kind == "logistic")
            logWeight = scale * std::log(u / (1 - u));
        else if (kind == "bounded")
            logWeight = scale * u;
        else if (kind == "ties")
            logWeight = scale * std::floor(20 * u);
        else
            logWeight = -scale * std::log(u);
        if ((kind == "zeros" && i % 3 == 0) || (kind == "mostly zeros" && i % 10 != 0))
            logWeight = -infinity;
    }
    return logWeights;
}

TEST(ParetoK, AgreesWithArviz) {
    for (const Oracle& oracle : oracles) {
        const double k = fitParetoShape(makeLogWeights(oracle.kind, oracle.count, oracle.scale));
        if (oracle.k == infinity)
            EXPECT_EQ(k, infinity) << oracle.kind << " " << oracle.count << " " << oracle.scale;
        else
            EXPECT_NEAR(k, oracle.k, 1e-9 * (1 + std::abs(oracle.k)))
                << oracle.kind << " " << oracle.count << " " << oracle.scale;
    }
}

TEST(ParetoK, DoesNotDependOnOrderOrScale) {
    std::vector<double> logWeights = makeLogWeights("pareto", 1000, 0.6);
    const double k = fitParetoShape(logWeights);
    std::shuffle(logWeights.begin(), logWeights.end(), std::mt19937(1));
    EXPECT_NEAR(fitParetoShape(logWeights), k, 1e-12);
    for (double& logWeight : logWeights)
        logWeight -= 12345;
    EXPECT_NEAR(fitParetoShape(logWeights), k, 1e-8);
}

TEST(ParetoK, FindsTheShapeOfAParetoDistribution) {
    // The prior pulls k towards 0.5 as 10 observations among the 949 of the tail would.
    std::mt19937_64 generator(3);
    std::exponential_distribution<double> exponential;
    for (double shape : {0.2, 0.5, 0.8, 1.2}) {
        std::vector<double> logWeights(100000);
        for (double& logWeight : logWeights)
            logWeight = shape * exponential(generator);
        EXPECT_NEAR(fitParetoShape(logWeights), shape, 0.01 + 4 * (1 + shape) / std::sqrt(949));
    }
}

TEST(ParetoK, FewOrEqualWeights) {
    EXPECT_EQ(fitParetoShape({}), infinity);
    EXPECT_EQ(fitParetoShape({0.3}), infinity);
    EXPECT_EQ(fitParetoShape({0.3, 0.4}), infinity);
    EXPECT_EQ(fitParetoShape(std::vector<double>(1000, -infinity)), infinity);
    EXPECT_EQ(fitParetoShape(std::vector<double>(1000, 7.5)), -infinity);
    // A single positive weight is the worst case, not the best one.
    std::vector<double> lonely(1000, -infinity);
    lonely[17] = 3;
    EXPECT_EQ(fitParetoShape(lonely), infinity);
}

}  // namespace
