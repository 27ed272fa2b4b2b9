#include "TrainingKernel.h"

#include "openmm/OpenMMException.h"
#include "openmmflow/internal/KernelProperties.h"

using namespace OpenMMFlow;

OpenMM::Platform& OpenMMFlow::getTrainingPlatform(const std::string& kernel) {
    OpenMM::Platform* platform = findCpuPlatform();
    if (platform == nullptr || !platform->supportsKernels({kernel}))
        throw OpenMM::OpenMMException(
            "Flows are trained on OpenMM's CPU platform: load it and openmm-flow's plugins with "
            "Platform::loadPluginsFromDirectory().");
    return *platform;
}
