#include "CpuBatchedPotentialKernel.h"
#include "CpuFlowGradientKernel.h"
#include "CpuFlowKernel.h"
#include "CpuTrainingKernel.h"
#include "openmm/KernelFactory.h"
#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace std;

namespace {

class CpuKernelFactory : public KernelFactory {
public:
    KernelImpl* createKernelImpl(string name, const Platform& platform, ContextImpl& context) const override {
        if (name == FlowKernel::Name())
            return new CpuFlowKernel(name, platform);
        if (name == FlowGradientKernel::Name())
            return new CpuFlowGradientKernel(name, platform);
        if (name == CoordinateTrainingKernel::Name())
            return new CpuTrainingKernel(name, platform);
        if (name == BatchedPotentialKernel::Name())
            return new CpuBatchedPotentialKernel(name, platform);
        throw OpenMMException("Tried to create kernel with illegal kernel name '" + name + "'");
    }
};

}  // namespace

extern "C" void registerPlatforms() {}

extern "C" void registerKernelFactories() {
    for (int i = 0; i < Platform::getNumPlatforms(); i++)
        if (Platform::getPlatform(i).getName() == "CPU")
            for (const string& name : {FlowKernel::Name(), FlowGradientKernel::Name(),
                                       CoordinateTrainingKernel::Name(), BatchedPotentialKernel::Name()})
                Platform::getPlatform(i).registerKernelFactory(name, new CpuKernelFactory());
}
