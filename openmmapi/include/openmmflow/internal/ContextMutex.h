#ifndef OPENMMFLOW_CONTEXTMUTEX_H_
#define OPENMMFLOW_CONTEXTMUTEX_H_

#include <memory>
#include <mutex>

#include "openmm/System.h"

namespace OpenMMFlow {

/**
 * Get the mutex that is held while a Context is constructed or destroyed and while anything is serialized.
 * OpenMM's expression parser, its just-in-time compiler and its conversion of numbers to text are not safe to
 * run twice at once; the evaluation of different Contexts at once is. It is recursive because a Force of ours
 * makes hidden Contexts while the Context that it belongs to is made.
 */
std::recursive_mutex& getContextMutex();

/** Copy a System, safely in any thread. */
std::unique_ptr<OpenMM::System> cloneSystem(const OpenMM::System& system);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CONTEXTMUTEX_H_*/
