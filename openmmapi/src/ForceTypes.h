#ifndef OPENMMFLOW_FORCETYPES_H_
#define OPENMMFLOW_FORCETYPES_H_

#include "openmm/Force.h"

namespace OpenMMFlow {

/** Whether a Force is of one of these classes. */
template <class... Forces>
bool isOneOf(const OpenMM::Force& force) {
    return (... || (dynamic_cast<const Forces*>(&force) != nullptr));
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FORCETYPES_H_*/
