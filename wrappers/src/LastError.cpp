#include "LastError.h"

#include <optional>
#include <string>

#include "OpenMMFlowCWrapper.h"

namespace OpenMMFlow::wrappers {
namespace {

thread_local std::optional<std::string> lastError;

}  // namespace

void setLastError(const char* message) noexcept {
    try {
        lastError = message;
    } catch (...) {
        // Short enough to need no memory.
        lastError = "No memory.";
    }
}

void setNullError(const char* function, const char* argument) noexcept {
    if (lastError)
        return;
    try {
        setLastError((std::string(function) + "(): " + argument + " must not be NULL.").c_str());
    } catch (...) {
        setLastError("No memory.");
    }
}

extern "C" {

const char* OpenMMFlow_getLastError(void) {
    return lastError ? lastError->c_str() : nullptr;
}

void OpenMMFlow_clearLastError(void) {
    lastError.reset();
}
}

}  // namespace OpenMMFlow::wrappers
