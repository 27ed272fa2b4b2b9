#include "CpuProperties.h"

#include <algorithm>

#include "InstructionSets.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/internal/KernelProperties.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

map<string, string> completeCpuProperties(const map<string, string>& given) {
    const vector<string> instructionSets = getInstructionSets();
    map<string, string> properties = completeProperties(
        "CPU", given,
        {{"Precision", "single"}, {"Threads", getDefaultThreads()}, {"InstructionSet", instructionSets[0]}});
    getPrecision(properties, {"single", "double"});
    getThreads(properties);
    const string& instructionSet = properties["InstructionSet"];
    if (find(instructionSets.begin(), instructionSets.end(), instructionSet) == instructionSets.end())
        throw OpenMMException(
            "The property InstructionSet must be avx512, avx2 or portable, and one that this processor has, "
            "not \""
            + instructionSet + "\".");
    return properties;
}

}  // namespace OpenMMFlow
