// What becomes of gradients of various norms.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "GradientFilter.h"

using namespace OpenMMFlow;
using namespace std;

namespace {

FlowTrainerOptions makeOptions(double largest, double clip, double skip) {
    FlowTrainerOptions options;
    options.maxGradientNorm = largest;
    options.gradientClipFactor = clip;
    options.gradientSkipFactor = skip;
    return options;
}

/** Norms 1 ... count: a median of count/2 + 1. */
vector<double> makeNorms(int count) {
    vector<double> norms;
    for (int i = count; i >= 1; i--)
        norms.push_back(i);
    return norms;
}

}  // namespace

TEST(GradientFilter, ClipsAtTheLargestNorm) {
    const GradientFilter filter(makeOptions(10, 0, 0));
    vector<double> recent = makeNorms(50);
    EXPECT_EQ(1, filter.getDivisor(0, recent));
    EXPECT_EQ(1, filter.getDivisor(9.5, recent));
    EXPECT_DOUBLE_EQ(1.5, filter.getDivisor(15, recent));
    EXPECT_DOUBLE_EQ(1e5, filter.getDivisor(1e6, recent));
}

TEST(GradientFilter, ClipsAndSkipsByTheMedianOfRecentNorms) {
    const GradientFilter filter(makeOptions(1e6, 2, 10));
    auto divide = [&](double norm) {
        vector<double> recent = makeNorms(101);
        return filter.getDivisor(norm, recent);
    };
    EXPECT_EQ(1, divide(101.9));
    EXPECT_DOUBLE_EQ(1.25, divide(127.5));
    EXPECT_DOUBLE_EQ(5, divide(510));
    EXPECT_TRUE(isinf(divide(510.1)));
}

TEST(GradientFilter, WaitsForEnoughNorms) {
    const GradientFilter filter(makeOptions(1e6, 2, 10));
    vector<double> recent = makeNorms(19);
    EXPECT_EQ(1, filter.getDivisor(1e4, recent));
    EXPECT_TRUE(isinf(filter.getDivisor(1e4, recent)));
}

TEST(GradientFilter, FollowsNormsThatStayLarge) {
    const GradientFilter filter(makeOptions(1e6, 2, 10));
    vector<double> recent = makeNorms(30);
    int skipped = 0;
    for (int step = 0; step < 200; step++)
        skipped += isinf(filter.getDivisor(1000, recent));
    EXPECT_EQ(100u, recent.size());
    EXPECT_GT(skipped, 10);
    EXPECT_LT(skipped, 60);
    EXPECT_EQ(1, filter.getDivisor(1000, recent));
}

TEST(GradientFilter, SkipsWhatIsNotFinite) {
    const GradientFilter filter(makeOptions(1, 2, 10));
    vector<double> recent;
    for (double norm : {numeric_limits<double>::infinity(), numeric_limits<double>::quiet_NaN()})
        EXPECT_TRUE(isinf(filter.getDivisor(norm, recent)));
    EXPECT_TRUE(recent.empty());
}
