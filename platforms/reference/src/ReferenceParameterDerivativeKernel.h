#ifndef OPENMMFLOW_REFERENCEPARAMETERDERIVATIVEKERNEL_H_
#define OPENMMFLOW_REFERENCEPARAMETERDERIVATIVEKERNEL_H_

#include "openmmflow/FlowKernels.h"

namespace OpenMMFlow {

/** ParameterDerivativeKernel on the Reference platform, and on those that share its data, such as CPU. */
class ReferenceParameterDerivativeKernel : public ParameterDerivativeKernel {
public:
    using ParameterDerivativeKernel::ParameterDerivativeKernel;
    void add(OpenMM::ContextImpl& context, const std::string& parameter, double derivative) override;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_REFERENCEPARAMETERDERIVATIVEKERNEL_H_*/
