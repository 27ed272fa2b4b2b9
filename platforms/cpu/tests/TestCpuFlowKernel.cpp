#include "FlowKernelTests.h"

vector<PlatformUnderTest> getPlatformsUnderTest() {
    vector<PlatformUnderTest> platforms;
    vector<string> instructionSets = {"portable"};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        instructionSets.push_back("avx2");
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
        instructionSets.push_back("avx512");
#endif
    for (const string& instructionSet : instructionSets)
        for (string precision : {"single", "double"})
            platforms.push_back({"CPU",
                                 {{"InstructionSet", instructionSet},
                                  {"Precision", precision},
                                  {"Threads", precision == "single" ? "2" : "3"}}});
    return platforms;
}
