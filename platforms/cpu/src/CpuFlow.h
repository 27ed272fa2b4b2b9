#ifndef OPENMMFLOW_CPUFLOW_H_
#define OPENMMFLOW_CPUFLOW_H_

#include <cstddef>
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
    /** Get the number of samples that go through together; the size of a block is a multiple of it. */
    virtual int getTileSize() const = 0;
    virtual void sample(int count, uint64_t seed, uint64_t first, double* positions, double* logQ) = 0;
    /** `gradient` may be null. */
    virtual void computeLogDensity(int count, const double* positions, double* logQ, double* gradient) = 0;
    /** The same of one sample in the shortest time. */
    virtual double computeLogDensityOfOne(const double* positions, double* gradient) = 0;
};

/** As CpuFlowBlock, for the gradient of the parameters, which each thread sums up by itself. */
class CpuGradientBlock {
public:
    virtual ~CpuGradientBlock() = default;
    virtual int getGradientBlockSize() const = 0;
    /** Add to the gradient; arguments as for FlowGradientKernel::compute(). */
    virtual void addGradient(int count, const double* positions, const double* worth, double penaltyWorth,
                             double* logQ, double* penalty) = 0;
    /** Add the elements first ... last-1 of the gradient to an array, and set them to zero. */
    virtual void moveGradient(double* sum, size_t first, size_t last) = 0;
};

/** As CpuFlowBlock, for the training of a flow in its coordinates; arguments as for CoordinateTrainingKernel.
 * Each thread sums up the gradient of the parameters by itself. */
class CpuTrainingBlock {
public:
    virtual ~CpuTrainingBlock() = default;
    virtual int getTrainingBlockSize() const = 0;
    virtual void sample(int count, uint64_t seed, uint64_t first, double* positions, double* coordinates,
                        double* logQ, double* gradient, double* adjoints) = 0;
    virtual void evaluate(int count, const double* coordinates, double* positions, double* logQ,
                          double* gradient, double* adjoints) = 0;
    virtual void computeLogDensity(int count, const double* coordinates, double* logQ) = 0;
    virtual void addLikelihoodGradient(int count, const double* coordinates, const double* worth,
                                       double* logQ) = 0;
    /** With that of a likelihood unless `adjoints` is null. */
    virtual void addPathGradient(int count, const double* coordinates, const double* difference,
                                 const double* adjoints, const double* worth) = 0;
    /** As for CpuGradientBlock. */
    virtual void moveGradient(double* sum, size_t first, size_t last) = 0;
};

/** A flow converted to one precision and one instruction set. Shared by all threads; the model outlives it.
 */
class CpuFlow {
public:
    virtual ~CpuFlow() = default;
    virtual std::unique_ptr<CpuFlowBlock> createBlock() const = 0;
    /** Null for a family whose parameters have no gradient here. */
    virtual std::unique_ptr<CpuGradientBlock> createGradientBlock() const { return nullptr; }
    /** Null for a family that has no coordinates of its own. */
    virtual std::unique_ptr<CpuTrainingBlock> createTrainingBlock() const { return nullptr; }
    /** Take other parameters; no block may be at work. */
    virtual void setParameters(const double*) {}
};

/** What a library for one instruction set provides, by the name "openmmflowCreateFlow": null for a family
 * that it does not know. */
using CreateFlow = CpuFlow*(const FlowModel& model, bool doublePrecision);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CPUFLOW_H_*/
