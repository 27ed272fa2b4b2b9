#ifndef OPENMMFLOW_CPUFLOWKERNEL_H_
#define OPENMMFLOW_CPUFLOWKERNEL_H_

#include <functional>
#include <memory>
#include <vector>

#include "BlockThreads.h"
#include "CpuFlow.h"
#include "openmmflow/FlowKernels.h"

namespace OpenMMFlow {

/**
 * FlowKernel on the CPU platform: samples are SIMD lanes, blocks of samples are shared out over threads.
 */
class CpuFlowKernel : public FlowKernel {
public:
    using FlowKernel::FlowKernel;
    void initialize(const Flow& flow, const std::map<std::string, std::string>& properties) override;
    std::map<std::string, std::string> getProperties() const override;
    void sample(long long count, uint64_t seed, uint64_t first, double* positions, double* logQ) override;
    void computeLogDensity(long long count, const double* positions, double* logQ) override;
    void computeLogDensityGradient(long long count, const double* positions, double* logQ,
                                   double* gradient) override;
    double computeLogDensityOfOne(const double* positions, double* gradient) override;

private:
    /** Call `task(block, start, length)` for all parts of `count` samples, on all threads. */
    void forEachBlock(long long count, const std::function<void(CpuFlowBlock&, long long, int)>& task);

    std::map<std::string, std::string> properties;
    int numPositions = 0;
    /** Shares the storage of the model, from which `flow` packs weights when they are needed. */
    std::unique_ptr<const Flow> source;
    std::unique_ptr<CpuFlow> flow;
    std::vector<std::unique_ptr<CpuFlowBlock>> blocks;
    std::unique_ptr<BlockThreads> threads;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CPUFLOWKERNEL_H_*/
