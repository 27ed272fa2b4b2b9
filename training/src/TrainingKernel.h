#ifndef OPENMMFLOW_TRAININGKERNEL_H_
#define OPENMMFLOW_TRAININGKERNEL_H_

#include <map>
#include <memory>
#include <string>

#include "AugmentedModuleKernel.h"
#include "CoordinateModuleKernel.h"
#include "openmm/Kernel.h"
#include "openmmflow/internal/HiddenContext.h"

namespace OpenMMFlow {

/** Get OpenMM's CPU platform. @throws OpenMM::OpenMMException if it has no kernel of that name */
OpenMM::Platform& getTrainingPlatform(const std::string& kernel);

/** The kernel that computes the same by Torch operations. */
template <class KernelImpl>
struct ModuleKernelOf;
template <>
struct ModuleKernelOf<CoordinateTrainingKernel> {
    using type = CoordinateModuleKernel;
};
template <>
struct ModuleKernelOf<FlowGradientKernel> {
    using type = AugmentedModuleKernel;
};

/** A kernel that training needs: of OpenMM's CPU platform, with the Context that it lives in, or by Torch
 * operations where the properties have a "Device". */
template <class KernelImpl>
class TrainingKernel {
public:
    /** @throws OpenMM::OpenMMException if there is none, or not for such flows or properties */
    TrainingKernel(const Flow& flow, const std::map<std::string, std::string>& properties)
        : kernel(create(properties.contains("Device"))) {
        get().initialize(flow, properties);
    }
    KernelImpl& get() { return kernel.template getAs<KernelImpl>(); }

private:
    OpenMM::Kernel create(bool isModule) {
        const std::string name = KernelImpl::Name();
        OpenMM::Platform& platform = getTrainingPlatform(name);
        if (isModule)
            return OpenMM::Kernel(new typename ModuleKernelOf<KernelImpl>::type(name, platform));
        context = std::make_unique<HiddenContext>(platform);
        return platform.createKernel(name, context->getImpl());
    }
    // The kernel goes before the Context that it lives in.
    std::unique_ptr<HiddenContext> context;
    OpenMM::Kernel kernel;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TRAININGKERNEL_H_*/
