#ifndef OPENMMFLOW_CPUFLOWGRADIENTKERNEL_H_
#define OPENMMFLOW_CPUFLOWGRADIENTKERNEL_H_

#include <memory>
#include <vector>

#include "CpuFlow.h"
#include "openmm/internal/ThreadPool.h"
#include "openmmflow/FlowKernels.h"

namespace OpenMMFlow {

/** FlowGradientKernel on the CPU platform. */
class CpuFlowGradientKernel : public FlowGradientKernel {
public:
    using FlowGradientKernel::FlowGradientKernel;
    void initialize(const Flow& flow, const std::map<std::string, std::string>& properties) override;
    void setParameters(const std::vector<double>& parameters) override;
    void compute(long long count, const double* positions, const double* worth, double penaltyWorth,
                 double* logQ, double* penalty, double* gradient) override;

private:
    size_t numPositions = 0, numParameters = 0;
    /** Shares the storage of the model. */
    std::unique_ptr<const Flow> source;
    std::unique_ptr<CpuFlow> flow;
    std::vector<std::unique_ptr<CpuGradientBlock>> blocks;
    std::unique_ptr<OpenMM::ThreadPool> threads;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CPUFLOWGRADIENTKERNEL_H_*/
