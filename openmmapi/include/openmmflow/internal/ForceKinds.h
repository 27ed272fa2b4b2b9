#ifndef OPENMMFLOW_FORCEKINDS_H_
#define OPENMMFLOW_FORCEKINDS_H_

#include "openmm/Force.h"

namespace OpenMMFlow {

/** Whether a Force changes positions, velocities or the box, and never the potential energy. */
bool isWithoutEnergy(const OpenMM::Force& force);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FORCEKINDS_H_*/
