#ifndef OPENMMFLOW_INSTRUCTIONSETS_H_
#define OPENMMFLOW_INSTRUCTIONSETS_H_

#include <string>
#include <vector>

#include "CpuFlow.h"

namespace OpenMMFlow {

/** The instruction sets that there are libraries for and that this processor has, the fastest first. */
std::vector<std::string> getInstructionSets();

/** Load the library for one instruction set, and get what creates flows from it. */
CreateInternalFlow* loadInstructionSet(const std::string& name);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_INSTRUCTIONSETS_H_*/
