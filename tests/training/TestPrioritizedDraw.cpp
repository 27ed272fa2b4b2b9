// What becomes of the samples in a buffer: how often each is drawn, and which makes room.

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "PrioritizedDraw.h"
#include "SampleBuffer.h"

using namespace OpenMMFlow;
using namespace std;

TEST(PrioritizedDraw, HasTheFrequenciesOfTheWeights) {
    const vector<double> weights = {1, 2, 0.5, 0, 4, 2.5};
    vector<double> logWeights;
    for (double weight : weights)
        // Only ratios matter, of however large numbers.
        logWeights.push_back(weight == 0 ? -1e6 : 2000 + log(weight));
    vector<double> counts(weights.size(), 0);
    const int draws = 400, batch = 50;
    for (int draw = 0; draw < draws; draw++)
        for (int64_t k : drawPrioritized(logWeights, batch, 3, draw))
            counts.at(k)++;
    for (size_t k = 0; k < weights.size(); k++) {
        const double p = weights[k] / 10;
        EXPECT_NEAR(counts[k], p * draws * batch, 4 * sqrt(p * (1 - p) * draws * batch)) << k;
    }
}

TEST(PrioritizedDraw, DependsOnSeedAndDraw) {
    const vector<double> logWeights(1000, 0);
    const auto first = drawPrioritized(logWeights, 20, 1, 5);
    EXPECT_EQ(drawPrioritized(logWeights, 20, 1, 5), first);
    EXPECT_NE(drawPrioritized(logWeights, 20, 2, 5), first);
    EXPECT_NE(drawPrioritized(logWeights, 20, 1, 6), first);
}

TEST(SampleBuffer, KeepsTheLatest) {
    SampleBuffer buffer;
    buffer.numCoordinates = 2;
    for (int k = 0; k < 12; k++) {
        const double sample[] = {(double)k, -(double)k};
        buffer.add(sample, 10 + k, 20 + k, 5);
    }
    ASSERT_EQ(buffer.size(), 5);
    set<double> kept;
    for (int k = 0; k < 5; k++) {
        kept.insert(buffer.coordinates[2 * k]);
        EXPECT_EQ(buffer.coordinates[2 * k + 1], -buffer.coordinates[2 * k]);
        EXPECT_EQ(buffer.logQ[k], 10 + buffer.coordinates[2 * k]);
        EXPECT_EQ(buffer.logWeights[k], 20 + buffer.coordinates[2 * k]);
    }
    EXPECT_EQ(kept, set<double>({7, 8, 9, 10, 11}));
}
