#ifndef OPENMMFLOW_CPUPROPERTIES_H_
#define OPENMMFLOW_CPUPROPERTIES_H_

#include <map>
#include <string>

namespace OpenMMFlow {

/**
 * Complete and check the properties of our kernels on the CPU platform: Precision (single, the default, or
 * double), Threads (default: as the CPU platform), InstructionSet (avx512, avx2 or portable; default: the
 * best that the processor has).
 */
std::map<std::string, std::string> completeCpuProperties(const std::map<std::string, std::string>& given);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CPUPROPERTIES_H_*/
