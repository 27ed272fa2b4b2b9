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

/**
 * Take velocities of some particles from the Maxwell distribution to the one that LangevinMiddle's steps of
 * finite length have at the time of the positions (isLangevinMiddle()), to third order in dt, in harmonic
 * motion to fourth: v = w - dt^2/8 M^-1 H w = w + dt/4 M^-1 (f(x + dt/2 w) - f(x)). Their total momentum
 * stays what it is.
 *
 * @param velocities   in nm/ps: w of the particles, replaced by v
 * @param halfStep     dt/2 in ps
 * @param forces       f(x) in kJ/mol/nm
 * @param displaced    f(x + dt/2 w)
 */
void slowStiffMotions(std::vector<OpenMM::Vec3>& velocities, const std::vector<int>& particles,
                      const OpenMM::System& system, double halfStep, const std::vector<OpenMM::Vec3>& forces,
                      const std::vector<OpenMM::Vec3>& displaced);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_MAXWELLVELOCITIES_H_*/
