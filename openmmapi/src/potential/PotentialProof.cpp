#include "PotentialProof.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "ContextPool.h"
#include "openmm/Kernel.h"
#include "openmmflow/internal/ContextMutex.h"
#include "openmmflow/internal/ForceKinds.h"
#include "openmmflow/internal/HiddenContext.h"
#include "openmmflow/internal/PotentialTranslator.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

const int NUM_GROUPS = 32;

/** Four configurations, but fewer of large Systems, which Reference takes seconds for. */
int getNumConfigurations(int numParticles) {
    return clamp(1200 / numParticles, 1, 4);
}

/** The double-precision kernel and OpenMM differ by round-off, which is far below any difference in meaning.
 */
const double TOLERANCE = 1e-8;

double squaredDistance(const double* a, const double* b) {
    return pow(a[0] - b[0], 2) + pow(a[1] - b[1], 2) + pow(a[2] - b[2], 2);
}

/** A configuration grown particle by particle along the bonds, each turned away from those already there.
 * Virtual sites are left out. */
vector<double> growConfiguration(const PotentialModel& model, mt19937& generator) {
    struct Neighbour {
        int atom;
        double length;
    };
    vector<vector<Neighbour>> bonds(model.numParticles);
    for (const auto& bond : model.bonds)
        if (bond.length > 0) {
            bonds[bond.atoms[0]].push_back({bond.atoms[1], bond.length});
            bonds[bond.atoms[1]].push_back({bond.atoms[0], bond.length});
        }
    normal_distribution<double> normal;
    vector<double> positions(3 * model.numParticles);
    vector<int> placed;
    vector<bool> isPlaced(model.numParticles);
    for (const auto& site : model.virtualSites)
        isPlaced[site.particle] = true;
    auto place = [&](int atom, int origin, double length) {
        double best = -1;
        for (int attempt = 0; attempt < 20 && best < 0.04; attempt++) {
            double direction[3], candidate[3], nearest = 1;
            for (double& x : direction)
                x = normal(generator);
            const double zero[3] = {0, 0, 0}, scale = length / sqrt(squaredDistance(direction, zero));
            for (int j = 0; j < 3; j++)
                candidate[j] = (origin < 0 ? 0 : positions[3 * origin + j]) + scale * direction[j];
            for (int other : placed)
                nearest = min(nearest, squaredDistance(candidate, &positions[3 * other]));
            if (nearest > best) {
                best = nearest;
                copy(candidate, candidate + 3, &positions[3 * atom]);
            }
        }
        placed.push_back(atom);
        isPlaced[atom] = true;
    };
    // Breadth first; a molecule without a bond to those before starts near the one before.
    for (int start = 0; start < model.numParticles; start++) {
        if (isPlaced[start])
            continue;
        // Not at one distance: that may be where an expression jumps, and round-off would decide to which
        // side.
        place(start, placed.empty() ? -1 : placed.back(), 0.3 * (1 + 0.1 * normal(generator)));
        for (size_t k = placed.size() - 1; k < placed.size(); k++)
            for (const Neighbour& next : bonds[placed[k]])
                if (!isPlaced[next.atom])
                    place(next.atom, placed[k], next.length * (1 + 0.03 * normal(generator)));
    }
    return positions;
}

struct Evaluation {
    vector<double> energies, forces;
    Evaluation(int count, const vector<double>& positions) : energies(count), forces(positions.size()) {}
    void compute(BatchedPotentialKernel& kernel, const vector<double>& positions) {
        kernel.compute(energies.size(), positions.data(), energies.data(), forces.data());
    }
    void compute(ContextPool& pool, const vector<double>& positions) {
        pool.compute(energies.size(), positions.data(), energies.data(), forces.data());
    }
    /**
     * Whether two agree, but for configurations in which OpenMM finds no finite energy.
     *
     * @param share   of the configurations, how many must agree
     */
    bool agrees(const Evaluation& truth, double tolerance, double share) const {
        const size_t size = forces.size() / energies.size();
        int numFinite = 0, numAgreeing = 0;
        for (size_t k = 0; k < energies.size(); k++) {
            double largest = 0, difference = 0;
            for (size_t i = k * size; i < (k + 1) * size; i++) {
                largest = max(largest, abs(truth.forces[i]));
                const double error = abs(forces[i] - truth.forces[i]);
                difference = isnan(error) ? error : max(difference, error);
            }
            if (!isfinite(truth.energies[k]) || !isfinite(largest))
                continue;
            numFinite++;
            const double scale = abs(truth.energies[k]) + 0.1 * largest;
            numAgreeing += abs(energies[k] - truth.energies[k]) <= tolerance * scale
                           && difference <= tolerance * (largest + 10 * abs(truth.energies[k]));
        }
        return numAgreeing >= share * numFinite;
    }
};

}  // namespace

string disprovePotential(const System& original, const map<string, double>& parameters,
                         const PotentialModel& model, BatchedPotentialKernel& kernel,
                         const map<string, string>& properties, double tolerance) {
    mt19937 generator(2020);
    vector<double> positions;
    const int count = getNumConfigurations(model.numParticles);
    for (int k = 0; k < count; k++) {
        const vector<double> configuration = growConfiguration(model, generator);
        positions.insert(positions.end(), configuration.begin(), configuration.end());
    }
    // Each Force in a group of its own, so that stiff ones do not hide what is wrong with soft ones.
    unique_ptr<System> system = cloneSystem(original);
    map<int, string> groups;
    for (int i = 0; i < system->getNumForces(); i++) {
        Force& force = system->getForce(i);
        force.setForceGroup(i % NUM_GROUPS);
        if (!isWithoutEnergy(force))
            groups[i % NUM_GROUPS] += (groups.count(i % NUM_GROUPS) == 0 ? "" : " or ") + force.getName();
    }
    Platform& reference = Platform::getPlatformByName("Reference");
    HiddenContext context(reference);
    Kernel referenceKernel = reference.createKernel(BatchedPotentialKernel::Name(), context.getImpl());
    auto& exact = referenceKernel.getAs<BatchedPotentialKernel>();
    ContextPool pool(*system, reference, {{"Threads", "1"}});
    for (const auto& [name, value] : parameters)
        pool.setParameter(name, value);
    Evaluation truth(count, positions), translated(count, positions), computed(count, positions);
    for (const auto& [group, names] : groups) {
        const PotentialModel part = translatePotential(*system, parameters, 1 << group);
        exact.initialize(part, {});
        translated.compute(exact, positions);
        pool.setForceGroups(1 << group);
        truth.compute(pool, positions);
        if (!translated.agrees(truth, TOLERANCE, 1))
            return names + ", whose translation differs from OpenMM";
        // Single precision may lose what a random configuration leaves of a nearly infinite Born radius.
        kernel.initialize(part, properties);
        computed.compute(kernel, positions);
        if (!computed.agrees(translated, tolerance, 0.5))
            return names + ", which the platform computes too inaccurately";
    }
    return "";
}

}  // namespace OpenMMFlow
