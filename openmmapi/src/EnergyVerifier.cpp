#include "EnergyVerifier.h"

#include <cmath>
#include <map>
#include <string>

#include "FormatNumber.h"
#include "openmm/OpenMMException.h"
#include "openmm/reference/SimTKOpenMMRealType.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

EnergyVerifier::EnergyVerifier(const System& system, const BatchedPotential& potential, double temperature,
                               double fraction)
    : kT(BOLTZ * temperature), fraction(fraction) {
    if (!(fraction >= 0 && fraction <= 1))
        throw OpenMMException("The fraction of energies to verify must lie between 0 and 1, not "
                              + formatNumber(fraction) + ".");
    if (fraction > 0 && potential.getImplementation() == "batched")
        contexts = make_unique<BatchedPotential>(system, map<string, string>{{"Implementation", "contexts"}});
}

void EnergyVerifier::verify(const vector<double>& positions, const vector<double>& energies) {
    if (!isActive())
        return;
    const size_t size = 3 * contexts->getNumParticles();
    vector<double> chosen;
    vector<double> expected;
    for (size_t k = 0; k < energies.size(); k++) {
        notYetVerified += fraction;
        if (notYetVerified < 1)
            continue;
        notYetVerified -= 1;
        chosen.insert(chosen.end(), &positions[k * size], &positions[k * size] + size);
        expected.push_back(energies[k]);
    }
    const vector<double> truth = contexts->computeEnergies(chosen);
    for (double energy : truth)
        if (isfinite(energy))
            lowest = min(lowest, energy);
    // Clashes, whose energies overflow in single precision, have no weight in any case.
    auto isHopeless = [&](double energy) { return !isfinite(energy) || energy > lowest + 1e4 * kT; };
    for (size_t k = 0; k < truth.size(); k++)
        if (!(isHopeless(truth[k]) && isHopeless(expected[k]))
            && !(abs(truth[k] - expected[k]) <= 0.05 * kT + 1e-5 * (truth[k] - lowest)))
            throw OpenMMException("OpenMM gives " + formatNumber(truth[k])
                                  + " kJ/mol for an energy that was computed as " + formatNumber(expected[k])
                                  + ": set the property Implementation to contexts, and report this System.");
}

}  // namespace OpenMMFlow
