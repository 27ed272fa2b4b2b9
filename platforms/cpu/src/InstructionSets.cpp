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

void* loadInstructionSet(const string& family, const string& instructionSet, const char* function) {
    // Found through the RPATH of this library. Local, so that nothing compiled for another processor can be
    // called from elsewhere; never closed, since what it made may outlive any one user of it.
    const string library = "lib" + family + "-" + instructionSet + ".so";
    void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr)
        throw OpenMMException("The library for " + instructionSet
                              + " processors could not be loaded, reinstall openmm-flow: " + dlerror());
    void* result = dlsym(handle, function);
    if (result == nullptr)
        throw OpenMMException(library + " does not belong to this version of openmm-flow; reinstall it.");
    return result;
}

}  // namespace OpenMMFlow
