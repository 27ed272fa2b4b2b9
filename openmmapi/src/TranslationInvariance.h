#ifndef OPENMMFLOW_TRANSLATIONINVARIANCE_H_
#define OPENMMFLOW_TRANSLATIONINVARIANCE_H_

#include <vector>

#include "openmm/System.h"
#include "openmmflow/BatchedPotential.h"

namespace OpenMMFlow {

/**
 * Whether all Forces of a System are known to depend on relative positions only. False for those whose
 * expressions may contain coordinates (CustomExternalForce, CustomCompoundBondForce, ...) and for those that
 * OpenMM does not define.
 */
bool isTranslationInvariant(const OpenMM::System& system);

/**
 * Move the configuration of lowest energy, and refuse an energy that changes with it: positions that a flow
 * proposes are known modulo translation only, so that such an energy has no meaning for them.
 *
 * @param temperature   the temperature at which the change is judged, in K
 * @param positions     (count, N, 3) in nm
 * @param energies      (count): the energies of these, in kJ/mol
 * @return whether there was a finite energy, so that this could be tested
 * @throws OpenMM::OpenMMException if the energy changes by more than 0.02 kT and 10^-5 of itself
 */
bool requireTranslationInvariance(BatchedPotential& potential, double temperature,
                                  const std::vector<double>& positions, const std::vector<double>& energies);

/**
 * The same for a flow in two dimensions, whose samples have z = 0: refuse an energy that changes when
 * particles move along z.
 */
bool requirePlanarEnergy(BatchedPotential& potential, double temperature,
                         const std::vector<double>& positions, const std::vector<double>& energies);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TRANSLATIONINVARIANCE_H_*/
