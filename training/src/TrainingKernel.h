#ifndef OPENMMFLOW_TRAININGKERNEL_H_
#define OPENMMFLOW_TRAININGKERNEL_H_

#include <map>
#include <string>

#include "openmm/Kernel.h"
#include "openmmflow/FlowKernels.h"
#include "openmmflow/internal/HiddenContext.h"

namespace OpenMMFlow {

/** Get OpenMM's CPU platform. @throws OpenMM::OpenMMException if it has no kernel of that name */
OpenMM::Platform& getTrainingPlatform(const std::string& kernel);

/** A kernel of OpenMM's CPU platform that training needs, and the Context that it lives in. */
template <class KernelImpl>
class TrainingKernel {
public:
    /** @throws OpenMM::OpenMMException if there is none, or not for such flows or properties */
    TrainingKernel(const Flow& flow, const std::map<std::string, std::string>& properties)
        : context(getTrainingPlatform(KernelImpl::Name())),
          kernel(
              getTrainingPlatform(KernelImpl::Name()).createKernel(KernelImpl::Name(), context.getImpl())) {
        get().initialize(flow, properties);
    }
    KernelImpl& get() { return kernel.template getAs<KernelImpl>(); }

private:
    // The kernel goes before the Context that it lives in.
    HiddenContext context;
    OpenMM::Kernel kernel;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TRAININGKERNEL_H_*/
