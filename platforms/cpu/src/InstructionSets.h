#ifndef OPENMMFLOW_INSTRUCTIONSETS_H_
#define OPENMMFLOW_INSTRUCTIONSETS_H_

#include <string>
#include <vector>

namespace OpenMMFlow {

/** The instruction sets that there are libraries for and that this processor has, the fastest first. */
std::vector<std::string> getInstructionSets();

/** Load the library "lib<family>-<instructionSet>.so" that belongs to the calling library, and get a function
 * from it. */
void* loadInstructionSet(const std::string& family, const std::string& instructionSet, const char* function);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_INSTRUCTIONSETS_H_*/
