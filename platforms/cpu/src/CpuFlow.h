#ifndef OPENMMFLOW_CPUFLOW_H_
#define OPENMMFLOW_CPUFLOW_H_

#include <cstdint>
#include <memory>

#include "openmmflow/internal/FlowModel.h"

namespace OpenMMFlow {

/**
 * A block of samples of a flow, with one sample in each SIMD lane, and the memory that takes. Each thread has
 * its own. Arrays are as for FlowKernel; `count` is at most getBlockSize().
 */
class CpuFlowBlock {
public:
    virtual ~CpuFlowBlock() = default;
    virtual int getBlockSize() const = 0;
    virtual void sample(int count, uint64_t seed, uint64_t first, double* positions, double* logQ) = 0;
    /** `gradient` may be null. */
    virtual void computeLogDensity(int count, const double* positions, double* logQ, double* gradient) = 0;
    /** The same of one sample in the shortest time. */
    virtual double computeLogDensityOfOne(const double* positions, double* gradient) = 0;
};

/** A flow converted to one precision and one instruction set. Shared by all threads; the model outlives it.
 */
class CpuFlow {
public:
    virtual ~CpuFlow() = default;
    virtual std::unique_ptr<CpuFlowBlock> createBlock() const = 0;
};

/** What a library for one instruction set provides, by the name "openmmflowCreateFlow": null for a family
 * that it does not know. */
using CreateFlow = CpuFlow*(const FlowModel& model, bool doublePrecision);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CPUFLOW_H_*/
