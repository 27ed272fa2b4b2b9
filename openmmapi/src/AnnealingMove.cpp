#include "AnnealingMove.h"

#include <algorithm>
#include <cmath>

#include "RemoveAverage.h"
#include "ReplicaNoise.h"

using namespace std;

namespace OpenMMFlow {

MoveCounts& MoveCounts::operator+=(const MoveCounts& other) {
    proposed += other.proposed;
    accepted += other.accepted;
    offSupport += other.offSupport;
    notFinite += other.notFinite;
    probabilities += other.probabilities;
    return *this;
}

namespace {

/** The trajectories of one move. */
class Trajectories {
public:
    Trajectories(const AnnealingMove& move, AnnealingPath& path, const AnnealingStates& start,
                 const vector<uint64_t>& keys, uint64_t step)
        : move(move),
          path(path),
          states(start),
          size(3 * path.getNumParticles()),
          isAlive(start.getCount()),
          stepSizes(start.getCount()),
          uniforms(start.getCount()),
          hamiltonians(start.getCount()),
          momenta(start.positions.size()),
          gradient(size) {
        for (long long k = 0; k < states.getCount(); k++) {
            const shared::UniformPair pair =
                shared::uniformPair(keys[k], step, shared::NoiseStream::AnnealingMetropolis, 0);
            uniforms[k] = pair.first;
            stepSizes[k] = move.stepSize * (1 + move.jitter * (2 * pair.second - 1));
            drawNormals(keys[k], step, shared::NoiseStream::AnnealingMomenta, size, &momenta[size * k]);
            removeAverage(&momenta[size * k], size / 3);
            isAlive[k] = states.isAllowed(k);
            hamiltonians[k] = getHamiltonian(k);
        }
        counts.proposed = count(isAlive.begin(), isAlive.end(), true);
    }
    void integrate() {
        for (int i = 0; i < move.leapfrogSteps; i++) {
            for (long long k = 0; k < states.getCount(); k++)
                if (isAlive[k]) {
                    // Two half steps of the momenta at a time, but for the first and the last.
                    kick(k, (i == 0 ? 0.5 : 1) * stepSizes[k]);
                    for (int j = 0; j < size; j++)
                        states.positions[size * k + j] += stepSizes[k] * momenta[size * k + j];
                }
            path.evaluate(states);
            for (long long k = 0; k < states.getCount(); k++)
                if (isAlive[k] && !states.isAllowed(k)) {
                    isAlive[k] = false;
                    (isfinite(states.logQ[k]) ? counts.notFinite : counts.offSupport)++;
                }
        }
        for (long long k = 0; k < states.getCount(); k++)
            if (isAlive[k])
                kick(k, 0.5 * stepSizes[k]);
    }
    /** Put the ends of the accepted trajectories in the place of their starts. */
    MoveCounts decide(AnnealingStates& result) {
        for (long long k = 0; k < states.getCount(); k++) {
            const double error = isAlive[k] ? getHamiltonian(k) - hamiltonians[k] : 0;
            // The round-off of an enormous energy can make even this not a number.
            if (!isAlive[k] || isnan(error))
                continue;
            const double probability = min(1.0, exp(-error));
            counts.probabilities += probability;
            if (uniforms[k] < probability) {
                counts.accepted++;
                result.replace(k, states, k);
            }
        }
        return counts;
    }

private:
    void kick(long long k, double time) {
        path.computeGradient(states, k, move.beta, gradient.data());
        for (int j = 0; j < size; j++)
            momenta[size * k + j] += time * gradient[j];
    }
    double getHamiltonian(long long k) const {
        double kineticEnergy = 0;
        for (int j = 0; j < size; j++)
            kineticEnergy += 0.5 * momenta[size * k + j] * momenta[size * k + j];
        return kineticEnergy - AnnealingPath::getLogDensity(states, k, move.beta);
    }

    const AnnealingMove& move;
    AnnealingPath& path;
    AnnealingStates states;
    int size;
    vector<char> isAlive;
    vector<double> stepSizes, uniforms, hamiltonians, momenta, gradient;
    MoveCounts counts;
};

}  // namespace

MoveCounts AnnealingMove::apply(AnnealingPath& path, AnnealingStates& states, const vector<uint64_t>& keys,
                                uint64_t step) const {
    Trajectories trajectories(*this, path, states, keys, step);
    trajectories.integrate();
    return trajectories.decide(states);
}

}  // namespace OpenMMFlow
