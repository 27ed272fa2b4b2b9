#include "openmmflow/internal/ContextMutex.h"

#include "openmm/serialization/XmlSerializer.h"

namespace OpenMMFlow {

std::recursive_mutex& getContextMutex() {
    static std::recursive_mutex contextMutex;
    return contextMutex;
}

std::unique_ptr<OpenMM::System> cloneSystem(const OpenMM::System& system) {
    std::lock_guard lock(getContextMutex());
    return std::unique_ptr<OpenMM::System>(OpenMM::XmlSerializer::clone(system));
}

}  // namespace OpenMMFlow
