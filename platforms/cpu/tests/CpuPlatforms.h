#ifndef OPENMMFLOW_TESTS_CPUPLATFORMS_H_
#define OPENMMFLOW_TESTS_CPUPLATFORMS_H_

#include <string>
#include <vector>

#include "FlowKernelFixture.h"

namespace OpenMMFlow {

/** The CPU platform with every instruction set that this processor has, in both precisions. */
inline std::vector<tests::PlatformUnderTest> getCpuPlatforms() {
    std::vector<tests::PlatformUnderTest> platforms;
    std::vector<std::string> instructionSets = {"portable"};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        instructionSets.push_back("avx2");
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
        instructionSets.push_back("avx512");
#endif
    for (const std::string& instructionSet : instructionSets)
        for (std::string precision : {"single", "double"})
            platforms.push_back({"CPU",
                                 {{"InstructionSet", instructionSet},
                                  {"Precision", precision},
                                  {"Threads", precision == "single" ? "2" : "3"}}});
    return platforms;
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TESTS_CPUPLATFORMS_H_*/
