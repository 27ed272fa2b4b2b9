#ifndef OPENMMFLOW_CONTEXTMUTEX_H_
#define OPENMMFLOW_CONTEXTMUTEX_H_

#include <mutex>

namespace OpenMMFlow {

/**
 * Get the mutex that is held while a Context is constructed or destroyed. OpenMM's expression parser and just-in-time
 * compiler are not safe to run twice at once; the evaluation of different Contexts at once is.
 */
std::mutex& getContextMutex();

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CONTEXTMUTEX_H_*/
