#ifndef OPENMMFLOW_MAXWELLVELOCITIES_H_
#define OPENMMFLOW_MAXWELLVELOCITIES_H_

#include <cstdint>
#include <vector>

#include "openmm/System.h"
#include "openmm/Vec3.h"

namespace OpenMMFlow {

/**
 * Draw velocities of some particles from the Maxwell distribution given their total momentum, which stays
 * what it is: an exact draw from the conditional distribution, whether or not the momentum of the System is
 * removed.
 *
 * @param velocities   in nm/ps: those of the particles are replaced
 * @param kT           in kJ/mol
 * @param key, step    what the random numbers are a function of
 */
void redrawVelocities(std::vector<OpenMM::Vec3>& velocities, const std::vector<int>& particles,
                      const OpenMM::System& system, double kT, uint64_t key, uint64_t step);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_MAXWELLVELOCITIES_H_*/
