#ifndef OPENMMFLOW_COORDINATEMODULEKERNEL_H_
#define OPENMMFLOW_COORDINATEMODULEKERNEL_H_

#include <array>
#include <memory>
#include <vector>

#include "InternalFlowModule.h"
#include "ModuleParameters.h"
#include "openmmflow/FlowKernels.h"

namespace OpenMMFlow {

/**
 * CoordinateTrainingKernel by Torch operations, on any of its devices. Adjoints are not needed, and stay 0.
 * On CUDA devices gradients are the same on each run but for round-off.
 */
class CoordinateModuleKernel : public CoordinateTrainingKernel {
public:
    using CoordinateTrainingKernel::CoordinateTrainingKernel;
    /** @param properties   "Precision" and "Device"; others are ignored */
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
    /** Standardised coordinates (samples, D), as the module has them: (D, samples). */
    at::Tensor load(const double* coordinates, int64_t count) const;
    /** From (D, samples) as the module has them to (samples, D). */
    void store(const at::Tensor& coordinates, double* values) const;
    /** Log q(x), with respect to positions, of samples whose coordinates are known, its gradient by these,
     * and positions in the orientation of each sample. */
    void evaluate(const at::Tensor& moduleCoordinates, const double* coordinates,
                  const std::vector<std::array<double, 4>>& orientations, double* positions, double* logQ,
                  double* gradient) const;
    at::Tensor getPathGradient(const at::Tensor& coordinates, const at::Tensor& difference) const;
    at::Tensor getLikelihoodGradient(const at::Tensor& coordinates, const at::Tensor& worth,
                                     double* logQ) const;
    /** Call work(first, count), which returns a gradient as the module has it, for all samples, and store the
     * sum as the model has it. */
    template <class Work>
    void addGradients(long long count, double* gradient, const Work& work) const;

    std::shared_ptr<const InternalFlowModel> model;
    std::unique_ptr<const InternalFlowModule> module;
    std::unique_ptr<ModuleParameters> parameters;
    int64_t numCoordinates = 0, numParticles = 0, numParameters = 0;
    /** Of each parameter of the module that of the model, counted from 1; 0 for what the model has none of.
     */
    at::Tensor order;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_COORDINATEMODULEKERNEL_H_*/
