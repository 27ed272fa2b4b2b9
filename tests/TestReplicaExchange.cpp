// Replica exchange over ladders of temperatures, against known distributions.

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

#include "DynamicsSystems.h"
#include "ExpectError.h"
#include "openmm/Platform.h"
#include "openmmflow/BatchedHMCIntegrator.h"
#include "openmmflow/BatchedLangevinMiddleIntegrator.h"
#include "openmmflow/ReplicaExchange.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;

namespace {

const int LADDERS = 32, TEMPERATURES = 4;
const double LOWEST = 250, HIGHEST = 700;

void expectAveragesOfPeroxide(BatchedIntegrator& integrator, int interval) {
    integrator.setPositions(makePeroxidePositions(integrator.getNumReplicas()));
    ReplicaExchange exchange(integrator, TEMPERATURES, interval);
    exchange.run(200);
    exchange.resetStatistics();
    std::vector<ReplicaMean> energies(TEMPERATURES, ReplicaMean(LADDERS));
    exchange.run(800, [&](long long, long long) {
        const std::vector<double> now = exchange.getPotentialEnergies();
        for (int k = 0; k < LADDERS * TEMPERATURES; k++)
            energies[k % TEMPERATURES].add(k / TEMPERATURES, now[k]);
        for (ReplicaMean& energy : energies)
            energy.nextFrame();
        return true;
    });
    for (int level = 0; level < TEMPERATURES; level++) {
        const double expected = getPeroxideEnergy(exchange.getTemperatures()[level]);
        EXPECT_NEAR(energies[level].getMean(), expected, 4 * energies[level].getError()) << level;
        EXPECT_LT(energies[level].getError(), 0.02 * expected);
    }
    for (int pair = 0; pair < TEMPERATURES - 1; pair++) {
        EXPECT_EQ(exchange.getNumAttempts()[pair], 400 * LADDERS);
        EXPECT_GT(exchange.getNumAcceptances()[pair], 0.1 * 400 * LADDERS);
    }
    EXPECT_GT(exchange.getNumRoundTrips(), LADDERS);
}

TEST(ReplicaExchange, LangevinHasTheAveragesOfEachTemperature) {
    const auto system = makePeroxide();
    BatchedPotential potential(*system, {{"Threads", "2"}});
    BatchedLangevinMiddleIntegrator integrator(
        *system, potential, ReplicaExchange::createTemperatures(LOWEST, HIGHEST, TEMPERATURES, LADDERS), 10,
        0.002, 1);
    expectAveragesOfPeroxide(integrator, 10);
}

TEST(ReplicaExchange, HMCHasTheAveragesOfEachTemperature) {
    const auto system = makePeroxide();
    BatchedPotential potential(*system, {{"Threads", "2"}});
    BatchedHMCIntegrator integrator(
        *system, potential, ReplicaExchange::createTemperatures(LOWEST, HIGHEST, TEMPERATURES, LADDERS),
        0.005, 8, 1);
    expectAveragesOfPeroxide(integrator, 1);
}

/** The energy of a spring in three dimensions, in kT, has the density sqrt(x) exp(-x). */
double computeSpringAcceptance(double low, double high) {
    const double step = 0.02, longest = 20;
    double sum = 0, weight = 0;
    for (double x = step / 2; x < longest; x += step)
        for (double y = step / 2; y < longest; y += step) {
            const double w = std::sqrt(x * y) * std::exp(-x - y);
            const double logRatio = (1 / low - 1 / high) * (x * low - y * high);
            weight += w;
            sum += w * std::min(1.0, std::exp(logRatio));
        }
    return sum / weight;
}

TEST(ReplicaExchange, ExchangesAloneKeepExactSamplesExact) {
    const auto system = makeSpring();
    BatchedPotential potential(*system, {{"Threads", "2"}});
    const int ladders = 4000, count = 3;
    const std::vector<double> temperatures = ReplicaExchange::createTemperatures(200, 1000, count, ladders);
    std::mt19937 generator(1);
    std::normal_distribution<double> normal;
    std::vector<double> positions(ladders * count * 6, 0.0);
    for (int k = 0; k < ladders * count; k++)
        for (int j = 0; j < 3; j++)
            positions[6 * k + j] = std::sqrt(BOLTZ * temperatures[k] / SPRING) * normal(generator);
    // Steps so small that nothing moves.
    BatchedLangevinMiddleIntegrator integrator(*system, potential, temperatures, 0, 1e-12, 3);
    integrator.setPositions(positions);
    ReplicaExchange exchange(integrator, count, 1);
    exchange.run(2);
    for (int pair = 0; pair < count - 1; pair++) {
        // Only the first exchange of each pair meets samples that are independent of what happened before.
        const double p = computeSpringAcceptance(temperatures[pair], temperatures[pair + 1]);
        EXPECT_EQ(exchange.getNumAttempts()[pair], ladders);
        EXPECT_NEAR((double)exchange.getNumAcceptances()[pair] / ladders, p,
                    4 * std::sqrt(p * (1 - p) / ladders));
    }
    exchange.run(5);
    const std::vector<double> energies = exchange.getPotentialEnergies();
    for (int level = 0; level < count; level++) {
        double sum = 0, squares = 0;
        for (int ladder = 0; ladder < ladders; ladder++) {
            const double x = energies[ladder * count + level] / (BOLTZ * temperatures[level]);
            sum += x;
            squares += std::pow(x - 1.5, 2);
        }
        // Mean 3/2, variance 3/2, fourth central moment 63/4.
        EXPECT_NEAR(sum / ladders, 1.5, 4 * std::sqrt(1.5 / ladders));
        EXPECT_NEAR(squares / ladders, 1.5, 4 * std::sqrt((15.75 - 2.25) / ladders));
    }
}

TEST(ReplicaExchange, CountsRoundTrips) {
    const auto system = makeSpring();
    BatchedPotential potential(*system, {{"Threads", "2"}});
    BatchedLangevinMiddleIntegrator integrator(*system, potential,
                                               ReplicaExchange::createTemperatures(300, 600, 3, 10), 5, 0.01);
    integrator.setPositions(std::vector<double>(30 * 6, 0.01));
    ReplicaExchange exchange(integrator, 3, 5);
    std::vector<std::vector<int>> histories(30);
    auto keep = [&](long long, long long) {
        for (int k = 0; k < 30; k++)
            histories[k].push_back(exchange.getLevels()[k]);
        return true;
    };
    keep(0, 0);
    exchange.run(300, keep);
    long long trips = 0;
    for (const std::vector<int>& history : histories) {
        auto at = std::find(history.begin(), history.end(), 0);
        while (true) {
            at = std::find(at, history.end(), 2);
            at = std::find(at, history.end(), 0);
            if (at == history.end())
                break;
            trips++;
        }
    }
    EXPECT_GT(trips, 100);
    EXPECT_EQ(exchange.getNumRoundTrips(), trips);
    EXPECT_EQ(exchange.getNumExchanges(), 300);
    for (int k = 0; k < 30; k++)
        EXPECT_EQ(integrator.getTemperatures()[k], exchange.getTemperatures()[exchange.getLevels()[k]]);
}

TEST(ReplicaExchange, NeitherThreadsNorOtherLaddersMatter) {
    const auto system = makePeroxide();
    auto run = [&](int first, int ladders, const char* threads) {
        BatchedPotential potential(*system, {{"Threads", threads}});
        BatchedLangevinMiddleIntegrator integrator(*system, potential,
                                                   ReplicaExchange::createTemperatures(300, 600, 3, ladders),
                                                   1, 0.002, 4, 3 * first, {{"Threads", threads}});
        integrator.setPositions(makePeroxidePositions(3 * ladders));
        ReplicaExchange exchange(integrator, 3, 10);
        exchange.run(50);
        return exchange.getPositions(0);
    };
    const std::vector<double> together = run(0, 5, "1");
    EXPECT_EQ(together.size(), 5u * 12);
    EXPECT_EQ(run(0, 5, "3"), together);
    std::vector<double> apart = run(0, 2, "2");
    const std::vector<double> rest = run(2, 3, "1");
    apart.insert(apart.end(), rest.begin(), rest.end());
    EXPECT_EQ(apart, together);
}

TEST(ReplicaExchange, GoesOnFromACheckpointBitByBit) {
    const auto system = makePeroxide();
    BatchedPotential potential(*system, {{"Threads", "1"}});
    const std::vector<double> temperatures = ReplicaExchange::createTemperatures(300, 600, 3, 2);
    BatchedHMCIntegrator integrator(*system, potential, temperatures, 0.005, 5, 6);
    integrator.setPositions(makePeroxidePositions(6));
    ReplicaExchange exchange(integrator, 3, 2);
    exchange.run(21);
    const std::string checkpoint = exchange.createCheckpoint();
    exchange.run(40);
    BatchedHMCIntegrator otherIntegrator(*system, potential, temperatures, 0.001, 1);
    ReplicaExchange other(otherIntegrator, 3, 1);
    other.loadCheckpoint(checkpoint);
    EXPECT_EQ(other.getNumExchanges(), 21);
    EXPECT_EQ(other.run(40, [](long long done, long long) { return done < 15; }), 15);
    EXPECT_EQ(other.run(25), 25);
    EXPECT_EQ(other.createCheckpoint(), exchange.createCheckpoint());
    EXPECT_GT(exchange.getNumAcceptances()[0], 0);

    BatchedHMCIntegrator colder(*system, potential, ReplicaExchange::createTemperatures(200, 600, 3, 2),
                                0.001, 1);
    ReplicaExchange ofOthers(colder, 3, 1);
    expectError([&] { ofOthers.loadCheckpoint(checkpoint); }, "other temperatures");
    BatchedLangevinMiddleIntegrator langevin(*system, potential, temperatures, 1, 0.001);
    ReplicaExchange ofLangevin(langevin, 3, 1);
    expectError([&] { ofLangevin.loadCheckpoint(checkpoint); },
                "not one of a BatchedLangevinMiddleIntegrator");
}

TEST(ReplicaExchange, OneTemperatureIsPlainDynamics) {
    const auto system = makePeroxide();
    BatchedPotential potential(*system, {{"Threads", "1"}});
    const std::vector<double> temperatures = ReplicaExchange::createTemperatures(300, 300, 1, 3);
    BatchedLangevinMiddleIntegrator integrator(*system, potential, temperatures, 1, 0.002),
        alone(*system, potential, temperatures, 1, 0.002);
    for (BatchedIntegrator* each : {&integrator, &alone})
        each->setPositions(makePeroxidePositions(3));
    ReplicaExchange exchange(integrator, 1, 5);
    exchange.run(4);
    alone.step(20);
    EXPECT_EQ(exchange.getPositions(0), alone.getPositions());
    EXPECT_TRUE(exchange.getNumAttempts().empty());
    EXPECT_EQ(exchange.getNumRoundTrips(), 0);
}

TEST(ReplicaExchange, RefusesWhatIsNoLadder) {
    const auto system = makePeroxide();
    BatchedPotential potential(*system, {{"Threads", "1"}});
    auto create = [&](const std::vector<double>& temperatures, int numTemperatures, int interval = 1,
                      uint64_t firstReplica = 0) {
        BatchedLangevinMiddleIntegrator integrator(*system, potential, temperatures, 1, 0.001, 0,
                                                   firstReplica);
        ReplicaExchange(integrator, numTemperatures, interval);
    };
    expectError([&] { create({300, 400, 300}, 2); }, "no whole ladders of 2");
    expectError([&] { create({300, 400}, 2, 1, 3); }, "no whole ladders of 2");
    expectError([&] { create({300, 400}, 0); }, "no whole ladders of 0");
    expectError([&] { create({400, 300}, 2); }, "must rise");
    expectError([&] { create({300, 400, 300, 500}, 2); }, "the same temperatures");
    expectError([&] { create({300, 400}, 2, 0); }, "at least one step");
    expectError([&] { ReplicaExchange::createTemperatures(300, 200, 3); }, "A ladder needs");
    BatchedLangevinMiddleIntegrator integrator(*system, potential, {300, 400}, 1, 0.001);
    ReplicaExchange exchange(integrator, 2, 1);
    expectError([&] { exchange.run(1); }, "call setPositions() first");
    expectError([&] { exchange.getPositions(0); }, "call setPositions() first");
    integrator.setPositions(makePeroxidePositions(2));
    expectError([&] { exchange.getPositions(2); }, "numbered from 0 to 1");
    expectError([&] { exchange.run(-1); }, "must not be negative");
}

}  // namespace
