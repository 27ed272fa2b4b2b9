#ifndef OPENMMFLOW_CPUFLOW_H_
#define OPENMMFLOW_CPUFLOW_H_

#include <cstdint>
#include <memory>

#include "openmmflow/internal/InternalFlowModel.h"

namespace OpenMMFlow {

/**
 * Row-major matrix products, C (m, n) = op(A) B with op(A) of shape (m, k), where `columns` is the distance
 * between the rows of B and of C. They come from libraries that choose the instruction set themselves, so
 * that the libraries compiled for one instruction set need not link them.
 */
struct MatrixProducts {
    void (*single)(bool transposeA, int m, int n, int k, const float* a, const float* b, float* c,
                   int columns);
    void (*wide)(bool transposeA, int m, int n, int k, const double* a, const double* b, double* c,
                 int columns);
};

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
};

/** A flow converted to one precision and one instruction set. Shared by all threads. */
class CpuFlow {
public:
    virtual ~CpuFlow() = default;
    virtual std::unique_ptr<CpuFlowBlock> createBlock() const = 0;
};

/** What a library for one instruction set provides, by the name "openmmflowCreateInternalFlow". */
using CreateInternalFlow = CpuFlow*(const InternalFlowModel& model, const MatrixProducts& products,
                                    bool doublePrecision);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CPUFLOW_H_*/
