#include "openmmflow/ReplicaExchange.h"

#include <algorithm>
#include <cmath>

#include "ReplicaNoise.h"
#include "openmm/OpenMMException.h"
#include "openmm/reference/SimTKOpenMMRealType.h"
#include "openmmflow/internal/TensorFile.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

ReplicaExchange::ReplicaExchange(BatchedIntegrator& integrator, int numTemperatures, int interval)
    : integrator(integrator), interval(interval) {
    const vector<double>& all = integrator.getTemperatures();
    if (numTemperatures < 1 || all.size() % numTemperatures != 0
        || integrator.getFirstReplica() % numTemperatures != 0)
        throw OpenMMException("The " + to_string(all.size()) + " replicas from number "
                              + to_string(integrator.getFirstReplica()) + " on are no whole ladders of "
                              + to_string(numTemperatures) + " temperatures.");
    if (interval < 1)
        throw OpenMMException("There must be at least one step between exchanges, not " + to_string(interval)
                              + ".");
    temperatures.assign(all.begin(), all.begin() + numTemperatures);
    if (adjacent_find(temperatures.begin(), temperatures.end(), greater_equal<>()) != temperatures.end())
        throw OpenMMException("The temperatures of a ladder must rise.");
    for (size_t k = 0; k < all.size(); k++) {
        levels.push_back((int)k % numTemperatures);
        if (all[k] != temperatures[levels[k]])
            throw OpenMMException(
                "All ladders must have the same temperatures: create the integrator with those of one "
                "ladder, "
                "repeated.");
    }
    resetStatistics();
}

vector<double> ReplicaExchange::createTemperatures(double lowest, double highest, int numTemperatures,
                                                   int numLadders) {
    if (!(lowest > 0 && highest >= lowest && isfinite(highest)) || numTemperatures < 1 || numLadders < 1
        || (highest > lowest) != (numTemperatures > 1))
        throw OpenMMException(
            "A ladder needs a lowest temperature above 0 K, a higher one unless it is the only one, and at "
            "least one ladder.");
    vector<double> temperatures;
    for (int k = 0; k < numLadders * numTemperatures; k++)
        temperatures.push_back(
            lowest * pow(highest / lowest, k % numTemperatures / max(1.0, numTemperatures - 1.0)));
    return temperatures;
}

void ReplicaExchange::resetStatistics() {
    roundTrips = 0;
    attempts.assign(temperatures.size() - 1, 0);
    acceptances.assign(temperatures.size() - 1, 0);
    lastEnds.assign(levels.size(), -1);
    countRoundTrips();
}

long long ReplicaExchange::run(long long exchanges, const Progress& progress) {
    if (exchanges < 0)
        throw OpenMMException("The number of exchanges must not be negative.");
    for (long long done = 1; done <= exchanges; done++) {
        integrator.step(interval);
        exchange();
        countRoundTrips();
        if (progress && !progress(done, exchanges))
            return done;
    }
    return exchanges;
}

void ReplicaExchange::exchange() {
    const int count = getNumTemperatures();
    const vector<double>& energies = integrator.getPotentialEnergies();
    const uint64_t firstLadder = integrator.getFirstReplica() / count;
    vector<int> replicas(count);
    for (int ladder = 0; ladder < getNumLadders(); ladder++) {
        const uint64_t key = makeReplicaKey(integrator.getRandomNumberSeed(), firstLadder + ladder);
        for (int k = ladder * count; k < (ladder + 1) * count; k++)
            replicas[levels[k]] = k;
        for (int lower = numExchanges % 2; lower + 1 < count; lower += 2) {
            const int a = replicas[lower], b = replicas[lower + 1];
            const double logRatio =
                (1 / (BOLTZ * temperatures[lower]) - 1 / (BOLTZ * temperatures[lower + 1]))
                * (energies[a] - energies[b]);
            const double uniform =
                shared::uniformPair(key, numExchanges, shared::NoiseStream::Exchange, lower).first;
            attempts[lower]++;
            if (log(uniform) < logRatio) {
                acceptances[lower]++;
                swap(levels[a], levels[b]);
            }
        }
    }
    numExchanges++;
    vector<double> current(levels.size());
    for (size_t k = 0; k < levels.size(); k++)
        current[k] = temperatures[levels[k]];
    integrator.setTemperatures(current);
}

void ReplicaExchange::countRoundTrips() {
    const int top = getNumTemperatures() - 1;
    for (size_t k = 0; k < levels.size(); k++) {
        if (levels[k] == 0) {
            roundTrips += lastEnds[k] > 0;
            lastEnds[k] = 0;
        } else if (levels[k] == top && lastEnds[k] == 0)
            lastEnds[k] = top;
    }
}

vector<double> ReplicaExchange::getPositions(int level) const {
    if (level < 0 || level >= getNumTemperatures())
        throw OpenMMException("The temperatures are numbered from 0 to " + to_string(getNumTemperatures() - 1)
                              + ": there is no " + to_string(level) + ".");
    const vector<double>& all = integrator.getPositions();
    if (all.empty())
        throw OpenMMException("The replicas have no positions yet: call setPositions() first.");
    const size_t size = 3 * integrator.getNumParticles();
    vector<double> positions;
    positions.reserve(getNumLadders() * size);
    for (size_t k = 0; k < levels.size(); k++)
        if (levels[k] == level)
            positions.insert(positions.end(), all.begin() + k * size, all.begin() + (k + 1) * size);
    return positions;
}

vector<double> ReplicaExchange::getPotentialEnergies() const {
    const vector<double>& all = integrator.getPotentialEnergies();
    vector<double> energies(all.size());
    for (size_t k = 0; k < all.size(); k++)
        energies[k / temperatures.size() * temperatures.size() + levels[k]] = all[k];
    return energies;
}

string ReplicaExchange::createCheckpoint() const {
    const int64_t replicas = (int64_t)levels.size(), pairs = (int64_t)attempts.size();
    TensorFile file;
    integrator.save(file);
    file.setIntegers("num_exchanges", {}, {numExchanges});
    file.setIntegers("interval", {}, {interval});
    file.setReals("ladder", {getNumTemperatures()}, temperatures);
    file.setIntegers("levels", {replicas}, {levels.begin(), levels.end()});
    file.setIntegers("last_ends", {replicas}, {lastEnds.begin(), lastEnds.end()});
    file.setIntegers("round_trips", {}, {roundTrips});
    file.setIntegers("exchange_attempts", {pairs}, {attempts.begin(), attempts.end()});
    file.setIntegers("exchange_acceptances", {pairs}, {acceptances.begin(), acceptances.end()});
    return file.serialize();
}

void ReplicaExchange::loadCheckpoint(const string& bytes) {
    const TensorFile file = TensorFile::parse(bytes, "the checkpoint");
    const int64_t replicas = (int64_t)levels.size(), pairs = (int64_t)attempts.size(),
                  most = numeric_limits<int64_t>::max();
    if (file.getReals("ladder", {getNumTemperatures()}) != temperatures)
        file.fail("it is one of other temperatures");
    const int64_t newExchanges = file.getIntegers("num_exchanges", {}, 0, most)[0];
    const int64_t newInterval = file.getIntegers("interval", {}, 1, numeric_limits<int>::max())[0];
    const vector<int64_t> newLevels = file.getIntegers("levels", {replicas}, 0, getNumTemperatures() - 1);
    const vector<int64_t> newEnds = file.getIntegers("last_ends", {replicas}, -1, getNumTemperatures() - 1);
    const int64_t newRoundTrips = file.getIntegers("round_trips", {}, 0, most)[0];
    const vector<int64_t> newAttempts = file.getIntegers("exchange_attempts", {pairs}, 0, most);
    const vector<int64_t> newAcceptances = file.getIntegers("exchange_acceptances", {pairs}, 0, most);
    for (int64_t first = 0; first < replicas; first += getNumTemperatures()) {
        vector<int64_t> ladder(newLevels.begin() + first, newLevels.begin() + first + getNumTemperatures());
        sort(ladder.begin(), ladder.end());
        if (adjacent_find(ladder.begin(), ladder.end()) != ladder.end())
            file.fail("two replicas of a ladder are at the same temperature");
    }
    integrator.load(file);
    file.requireAllRead();
    numExchanges = newExchanges;
    interval = (int)newInterval;
    levels.assign(newLevels.begin(), newLevels.end());
    lastEnds.assign(newEnds.begin(), newEnds.end());
    roundTrips = newRoundTrips;
    attempts.assign(newAttempts.begin(), newAttempts.end());
    acceptances.assign(newAcceptances.begin(), newAcceptances.end());
}

}  // namespace OpenMMFlow
