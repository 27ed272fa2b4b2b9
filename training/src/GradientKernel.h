#ifndef OPENMMFLOW_GRADIENTKERNEL_H_
#define OPENMMFLOW_GRADIENTKERNEL_H_

#include <map>
#include <string>

#include "openmm/Kernel.h"
#include "openmmflow/FlowKernels.h"
#include "openmmflow/internal/HiddenContext.h"

namespace OpenMMFlow {

/** The FlowGradientKernel of OpenMM's CPU platform, and the Context that it lives in. */
class GradientKernel {
public:
    /** @throws OpenMM::OpenMMException if there is none, or not for such flows or properties */
    GradientKernel(const Flow& flow, const std::map<std::string, std::string>& properties);
    FlowGradientKernel& get() { return kernel.getAs<FlowGradientKernel>(); }

private:
    // The kernel goes before the Context that it lives in.
    HiddenContext context;
    OpenMM::Kernel kernel;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_GRADIENTKERNEL_H_*/
