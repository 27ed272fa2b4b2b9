#include "InstructionSets.h"

#include <dlfcn.h>

#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

vector<string> getInstructionSets() {
    vector<string> sets;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
        sets.push_back("avx512");
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        sets.push_back("avx2");
#endif
    sets.push_back("portable");
    return sets;
}

CreateInternalFlow* loadInstructionSet(const string& name) {
    // Found through the RPATH of this library. Local, so that nothing compiled for another processor can be
    // called from elsewhere; never closed, since flows made by it may outlive any one kernel.
    const string library = "libOpenMMFlowCPU-" + name + ".so";
    void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr)
        throw OpenMMException("The CPU platform's flow kernels for " + name
                              + " could not be loaded, reinstall openmm-flow: " + dlerror());
    auto create = reinterpret_cast<CreateInternalFlow*>(dlsym(handle, "openmmflowCreateInternalFlow"));
    if (create == nullptr)
        throw OpenMMException(library + " does not belong to this version of openmm-flow; reinstall it.");
    return create;
}

}  // namespace OpenMMFlow
