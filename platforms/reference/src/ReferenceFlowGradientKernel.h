#ifndef OPENMMFLOW_REFERENCEFLOWGRADIENTKERNEL_H_
#define OPENMMFLOW_REFERENCEFLOWGRADIENTKERNEL_H_

#include <memory>

#include "ReferenceCouplingFlow.h"
#include "openmmflow/FlowKernels.h"

namespace OpenMMFlow {

/** FlowGradientKernel on the Reference platform. */
class ReferenceFlowGradientKernel : public FlowGradientKernel {
public:
    using FlowGradientKernel::FlowGradientKernel;
    void initialize(const Flow& flow, const std::map<std::string, std::string>& properties) override;
    void setParameters(const std::vector<double>& parameters) override;
    void compute(long long count, const double* positions, const double* worth, double penaltyWorth,
                 double* logQ, double* penalty, double* gradient) override;

private:
    size_t numPositions = 0, numParameters = 0;
    std::unique_ptr<ReferenceCouplingFlow> flow;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_REFERENCEFLOWGRADIENTKERNEL_H_*/
