#include "GradientKernel.h"

#include "openmm/OpenMMException.h"
#include "openmmflow/internal/KernelProperties.h"

using namespace OpenMMFlow;

static OpenMM::Platform& getPlatform() {
    OpenMM::Platform* platform = findCpuPlatform();
    if (platform == nullptr || !platform->supportsKernels({FlowGradientKernel::Name()}))
        throw OpenMM::OpenMMException(
            "Flows of this family are trained on OpenMM's CPU platform: load it and openmm-flow's plugins "
            "with Platform::loadPluginsFromDirectory().");
    return *platform;
}

GradientKernel::GradientKernel(const Flow& flow, const std::map<std::string, std::string>& properties)
    : context(getPlatform()),
      kernel(getPlatform().createKernel(FlowGradientKernel::Name(), context.getImpl())) {
    get().initialize(flow, properties);
}
