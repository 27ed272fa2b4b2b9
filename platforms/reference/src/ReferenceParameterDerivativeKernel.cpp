#include "ReferenceParameterDerivativeKernel.h"

#include "openmm/internal/ContextImpl.h"
#include "openmm/reference/ReferencePlatform.h"

using namespace OpenMM;

namespace OpenMMFlow {

void ReferenceParameterDerivativeKernel::add(ContextImpl& context, const std::string& parameter,
                                             double derivative) {
    auto& data = *reinterpret_cast<ReferencePlatform::PlatformData*>(context.getPlatformData());
    (*data.energyParameterDerivatives)[parameter] += derivative;
}

}  // namespace OpenMMFlow
