#include "openmmflow/internal/ContextMutex.h"

namespace OpenMMFlow {

std::mutex& getContextMutex() {
    static std::mutex contextMutex;
    return contextMutex;
}

}  // namespace OpenMMFlow
