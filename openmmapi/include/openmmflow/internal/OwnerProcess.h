#ifndef OPENMMFLOW_OWNERPROCESS_H_
#define OPENMMFLOW_OWNERPROCESS_H_

#include <unistd.h>

#include <string>

#include "openmm/OpenMMException.h"

namespace OpenMMFlow {

/**
 * The process that made an object with threads. After a fork the child has the object without its threads:
 * using it, or destroying it, would wait for them for ever.
 */
class OwnerProcess {
public:
    bool isCurrent() const { return id == getpid(); }
    /** Throw an OpenMMException in any other process. */
    void require(const std::string& className) const {
        if (!isCurrent())
            throw OpenMM::OpenMMException("This " + className
                                          + " was made before the process was forked, and its threads stayed behind: make it "
                                            "in the child, or start children by \"spawn\".");
    }

private:
    pid_t id = getpid();
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_OWNERPROCESS_H_*/
