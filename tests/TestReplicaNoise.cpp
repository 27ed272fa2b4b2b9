// The random numbers of batched dynamics.

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "../openmmapi/src/ReplicaNoise.h"
#include "shared/DoubleMath.h"

using namespace OpenMMFlow;
using shared::NoiseStream;

namespace {

TEST(ReplicaNoise, IsWhatTheSharedFormulasSay) {
    const uint64_t key = 0x0123456789abcdefULL, step = (7ULL << 32) + 5;
    for (int count : {1, 2, 3, 15, 66, 127, 128}) {
        std::vector<double> normals(count);
        drawNormals(key, step, NoiseStream::Langevin, count, normals.data());
        const int pairs = (count + 1) / 2;
        for (int i = 0; i < pairs; i++) {
            const shared::UniformPair pair = shared::uniformPair(key, step, NoiseStream::Langevin, i);
            const shared::NormalPair expected = shared::boxMuller(pair.first, pair.second);
            EXPECT_NEAR(normals[i], expected.first, 1e-13);
            if (pairs + i < count) {
                EXPECT_NEAR(normals[pairs + i], expected.second, 1e-13);
            }
        }
    }
}

TEST(ReplicaNoise, LongerThanABlockRepeatsNothing) {
    std::vector<double> normals(1000);
    drawNormals(1, 2, NoiseStream::Langevin, 1000, normals.data());
    EXPECT_EQ(std::set<double>(normals.begin(), normals.end()).size(), 1000u);
}

TEST(ReplicaNoise, HasTheMomentsOfTheNormalDistribution) {
    const int replicas = 50, steps = 200, count = 66;
    double sums[4] = {};
    std::vector<double> normals(count);
    for (int replica = 0; replica < replicas; replica++) {
        const uint64_t key = makeReplicaKey(3, replica);
        for (int step = 0; step < steps; step++) {
            drawNormals(key, step, NoiseStream::Langevin, count, normals.data());
            for (double x : normals)
                for (int power = 0; power < 4; power++)
                    sums[power] += std::pow(x, power + 1);
        }
    }
    const double n = replicas * steps * count, expected[4] = {0, 1, 0, 3}, variance[4] = {1, 2, 15, 96};
    for (int power = 0; power < 4; power++)
        EXPECT_NEAR(sums[power] / n, expected[power], 4 * std::sqrt(variance[power] / n)) << power;
}

TEST(ReplicaNoise, ReplicasAndSeedsHaveKeysOfTheirOwn) {
    std::set<uint64_t> keys;
    for (uint64_t seed = 0; seed < 10; seed++)
        for (uint64_t replica = 0; replica < 1000; replica++)
            keys.insert(makeReplicaKey(seed, replica));
    EXPECT_EQ(keys.size(), 10000u);
}

}  // namespace
