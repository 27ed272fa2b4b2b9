#include "ReferenceBatchedPotentialKernel.h"
#include "ReferenceFlowGradientKernel.h"
#include "ReferenceFlowKernel.h"
#include "ReferenceParameterDerivativeKernel.h"
#include "openmm/KernelFactory.h"
#include "openmm/OpenMMException.h"
#include "openmm/reference/ReferencePlatform.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace std;

namespace {

class ReferenceKernelFactory : public KernelFactory {
public:
    KernelImpl* createKernelImpl(string name, const Platform& platform, ContextImpl& context) const override {
        if (name == FlowKernel::Name())
            return new ReferenceFlowKernel(name, platform);
        if (name == FlowGradientKernel::Name())
            return new ReferenceFlowGradientKernel(name, platform);
        if (name == BatchedPotentialKernel::Name())
            return new ReferenceBatchedPotentialKernel(name, platform);
        if (name == ParameterDerivativeKernel::Name())
            return new ReferenceParameterDerivativeKernel(name, platform);
        throw OpenMMException("Tried to create kernel with illegal kernel name '" + name + "'");
    }
};

}  // namespace

extern "C" void registerPlatforms() {}

extern "C" void registerKernelFactories() {
    // The CPU platform is a ReferencePlatform too: it is served by these kernels until it has its own.
    for (int i = 0; i < Platform::getNumPlatforms(); i++) {
        Platform& platform = Platform::getPlatform(i);
        if (dynamic_cast<ReferencePlatform*>(&platform) == nullptr)
            continue;
        for (const string& kernel : {FlowKernel::Name(), FlowGradientKernel::Name(),
                                     BatchedPotentialKernel::Name(), ParameterDerivativeKernel::Name()})
            if (!platform.supportsKernels({kernel}))
                platform.registerKernelFactory(kernel, new ReferenceKernelFactory());
    }
}
