#ifndef OPENMMFLOW_REALPARTICLES_H_
#define OPENMMFLOW_REALPARTICLES_H_

#include <vector>

#include "openmm/System.h"

namespace OpenMMFlow {

/** Find the particles of a System that are no virtual sites: those whose positions are given. */
std::vector<int> findRealParticles(const OpenMM::System& system);

/** Whether the positions of some particles of a configuration, (N, 3), are all finite. */
bool areFinite(const std::vector<int>& particles, const double* configuration);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_REALPARTICLES_H_*/
