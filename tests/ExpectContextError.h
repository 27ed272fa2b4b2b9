#ifndef OPENMMFLOW_TESTS_EXPECTCONTEXTERROR_H_
#define OPENMMFLOW_TESTS_EXPECTCONTEXTERROR_H_

#include <string>

#include "ExpectError.h"
#include "openmm/Context.h"
#include "openmm/Platform.h"
#include "openmm/System.h"
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace OpenMMFlow::tests {

/** Expect that a Context cannot be created, with this fragment in the message. */
inline void expectContextError(const OpenMM::System& system, OpenMM::Integrator& integrator,
                               const std::string& fragment) {
#ifdef __SANITIZE_ADDRESS__
    // OpenMM never deletes what it had made of the Context when a Force threw.
    __lsan::ScopedDisabler disabler;
#endif
    expectError(
        [&] {
            OpenMM::Context context(system, integrator, OpenMM::Platform::getPlatformByName("Reference"));
        },
        fragment);
}

}  // namespace OpenMMFlow::tests

#endif /*OPENMMFLOW_TESTS_EXPECTCONTEXTERROR_H_*/
