#include "SplineKernels.h"

#include "InstructionSets.h"

const OpenMMFlow::AllSplineKernels& OpenMMFlow::getSplineKernels() {
    static const AllSplineKernels& kernels = []() -> const AllSplineKernels& {
        auto get = reinterpret_cast<const AllSplineKernels* (*)()>(loadInstructionSet(
            "OpenMMFlowTraining", getInstructionSets().front(), "openmmflowSplineKernels"));
        return *get();
    }();
    return kernels;
}
