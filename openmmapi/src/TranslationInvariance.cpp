#include "TranslationInvariance.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "ForceTypes.h"
#include "FormatNumber.h"
#include "openmm/AndersenThermostat.h"
#include "openmm/CMAPTorsionForce.h"
#include "openmm/CMMotionRemover.h"
#include "openmm/CustomAngleForce.h"
#include "openmm/CustomBondForce.h"
#include "openmm/CustomGBForce.h"
#include "openmm/CustomNonbondedForce.h"
#include "openmm/CustomTorsionForce.h"
#include "openmm/GBSAOBCForce.h"
#include "openmm/HarmonicAngleForce.h"
#include "openmm/HarmonicBondForce.h"
#include "openmm/NonbondedForce.h"
#include "openmm/OpenMMException.h"
#include "openmm/PeriodicTorsionForce.h"
#include "openmm/RBTorsionForce.h"
#include "openmm/reference/SimTKOpenMMRealType.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

bool isTranslationInvariant(const System& system) {
    for (int i = 0; i < system.getNumForces(); i++)
        if (!isOneOf<HarmonicBondForce, HarmonicAngleForce, PeriodicTorsionForce, RBTorsionForce,
                     CMAPTorsionForce, NonbondedForce, GBSAOBCForce, CustomBondForce, CustomAngleForce,
                     CustomTorsionForce, CustomNonbondedForce, CustomGBForce, CMMotionRemover,
                     AndersenThermostat>(system.getForce(i)))
            return false;
    return true;
}

/** Move the particles of the configuration of lowest energy by displacement(i, axis), and refuse an energy
 * that changes. */
template <class Displacement>
static bool requireSameEnergy(BatchedPotential& potential, double temperature,
                              const vector<double>& positions, const vector<double>& energies,
                              const Displacement& displacement, const string& reason) {
    if (energies.empty())
        return false;
    const size_t size = 3 * potential.getNumParticles();
    size_t lowest = 0;
    for (size_t k = 1; k < energies.size(); k++)
        if (!isfinite(energies[lowest]) || energies[k] < energies[lowest])
            lowest = k;
    if (!isfinite(energies[lowest]))
        return false;
    vector<double> moved(&positions[lowest * size], &positions[lowest * size] + size);
    for (size_t i = 0; i < size; i++)
        moved[i] += displacement(i / 3, i % 3);
    const double change = potential.computeEnergies(moved)[0] - energies[lowest];
    // Not a number is no sameness either.
    if (!(abs(change) <= 0.02 * BOLTZ * temperature + 1e-6 * abs(energies[lowest])))
        throw OpenMMException("The energy of the System changes by " + formatNumber(change) + " kJ/mol "
                              + reason);
    return true;
}

bool requireTranslationInvariance(BatchedPotential& potential, double temperature,
                                  const vector<double>& positions, const vector<double>& energies) {
    const double translation[3] = {0.21, -0.34, 0.55};
    return requireSameEnergy(
        potential, temperature, positions, energies, [&](size_t, size_t axis) { return translation[axis]; },
        "when the whole molecule is moved, while a flow knows positions modulo translation only: remove "
        "external fields and restraints to points in space (CustomExternalForce).");
}

bool requirePlanarEnergy(BatchedPotential& potential, double temperature, const vector<double>& positions,
                         const vector<double>& energies) {
    return requireSameEnergy(
        potential, temperature, positions, energies,
        [](size_t i, size_t axis) { return axis == 2 ? 0.1 * cos(1.7 * (double)i) : 0.0; },
        "when particles move along z, while the flow has x and y only, so that weights would be those of a "
        "slice: use a flow in three dimensions, or Forces that do not depend on z.");
}

}  // namespace OpenMMFlow
