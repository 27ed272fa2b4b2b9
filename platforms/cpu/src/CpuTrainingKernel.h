#ifndef OPENMMFLOW_CPUTRAININGKERNEL_H_
#define OPENMMFLOW_CPUTRAININGKERNEL_H_

#include <memory>
#include <vector>

#include "CpuFlow.h"
#include "openmm/internal/ThreadPool.h"
#include "openmmflow/FlowKernels.h"

namespace OpenMMFlow {

/** CoordinateTrainingKernel on the CPU platform. */
class CpuTrainingKernel : public CoordinateTrainingKernel {
public:
    using CoordinateTrainingKernel::CoordinateTrainingKernel;
    void initialize(const Flow& flow, const std::map<std::string, std::string>& properties) override;
    void setParameters(const std::vector<double>& parameters) override;
    void sample(long long count, uint64_t seed, uint64_t first, double* positions, double* coordinates,
                double* logQ, double* gradient, double* adjoints) override;
    void evaluate(long long count, const double* coordinates, double* positions, double* logQ,
                  double* gradient, double* adjoints) override;
    void computeLogDensity(long long count, const double* coordinates, double* logQ) override;
    void computeLikelihoodGradient(long long count, const double* coordinates, const double* worth,
                                   double* logQ, double* gradient) override;
    void computePathGradient(long long count, const double* coordinates, const double* difference,
                             double* gradient) override;
    void computeBalancedPathGradient(long long count, const double* coordinates, const double* difference,
                                     const double* adjoints, const double* worth, double* gradient) override;

private:
    /** Call work(block, start, count) for parts of the samples, and collect the gradient unless it is null.
     */
    template <class Work>
    void run(long long count, double* gradient, const Work& work);
    size_t numParticles = 0, numCoordinates = 0, numAdjoints = 0, numParameters = 0;
    /** Shares the storage of the model. */
    std::unique_ptr<const Flow> source;
    std::unique_ptr<CpuFlow> flow;
    std::vector<std::unique_ptr<CpuTrainingBlock>> blocks;
    std::unique_ptr<OpenMM::ThreadPool> threads;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CPUTRAININGKERNEL_H_*/
