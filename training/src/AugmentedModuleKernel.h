#ifndef OPENMMFLOW_AUGMENTEDMODULEKERNEL_H_
#define OPENMMFLOW_AUGMENTEDMODULEKERNEL_H_

#include <functional>
#include <memory>

#include "ModuleParameters.h"
#include "openmmflow/FlowKernels.h"

namespace OpenMMFlow {

/**
 * FlowGradientKernel by Torch operations, on any of its devices. In single precision all of them are, which
 * makes more round-off than the CPU platform has. On CUDA devices gradients are the same on each run but for
 * round-off.
 */
class AugmentedModuleKernel : public FlowGradientKernel {
public:
    using FlowGradientKernel::FlowGradientKernel;
    /** @param properties   "Precision" and "Device"; others are ignored */
    void initialize(const Flow& flow, const std::map<std::string, std::string>& properties) override;
    void setParameters(const std::vector<double>& parameters) override;
    void compute(long long count, const double* positions, const double* worth, double penaltyWorth,
                 double* logQ, double* penalty, double* gradient) override;

private:
    /** The joint log density (B) by parameters and joint configurations (B, N+A, 3), and the penalty (B) if
     * that is not null. */
    std::function<at::Tensor(const at::Tensor&, const at::Tensor&, at::Tensor*)> logDensity;
    std::unique_ptr<ModuleParameters> parameters;
    int64_t numPositions = 0;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_AUGMENTEDMODULEKERNEL_H_*/
