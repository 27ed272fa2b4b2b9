#ifndef OPENMMFLOW_LASTERROR_H_
#define OPENMMFLOW_LASTERROR_H_

namespace OpenMMFlow::wrappers {

/** Thrown where an object is needed and NULL was given. */
struct NullArgument {
    const char* name;
};

/** Keep the message of a call that failed, for OpenMMFlow_getLastError(). */
void setLastError(const char* message) noexcept;
/**
 * Keep the message of a call that was given NULL, unless there is one already: NULL is what a call that
 * failed before has returned, and its message tells more.
 */
void setNullError(const char* function, const char* argument) noexcept;

}  // namespace OpenMMFlow::wrappers

#endif /*OPENMMFLOW_LASTERROR_H_*/
