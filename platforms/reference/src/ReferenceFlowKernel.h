#ifndef OPENMMFLOW_REFERENCEFLOWKERNEL_H_
#define OPENMMFLOW_REFERENCEFLOWKERNEL_H_

#include <memory>

#include "openmmflow/FlowKernels.h"

namespace OpenMMFlow {

/** One family of flows on the Reference platform: one sample at a time, in double precision. */
class ReferenceFlow {
public:
    virtual ~ReferenceFlow() = default;
    /** Draw one sample into `positions` (N+A, 3) and return its log q. */
    virtual double sample(uint64_t seed, uint64_t index, double* positions) const = 0;
    /** Return log q of one configuration. If `gradient` (N+A, 3) is not null, set it to the gradient of log
     * q. */
    virtual double computeLogDensity(const double* positions, double* gradient) const = 0;
};

/** FlowKernel on the Reference platform: straightforward, the truth that other platforms are tested against.
 */
class ReferenceFlowKernel : public FlowKernel {
public:
    using FlowKernel::FlowKernel;
    void initialize(const Flow& flow, const std::map<std::string, std::string>& properties) override;
    std::map<std::string, std::string> getProperties() const override;
    void sample(long long count, uint64_t seed, uint64_t first, double* positions, double* logQ) override;
    void computeLogDensity(long long count, const double* positions, double* logQ) override;
    void computeLogDensityGradient(long long count, const double* positions, double* logQ,
                                   double* gradient) override;

private:
    int numPositions = 0;
    std::unique_ptr<ReferenceFlow> flow;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_REFERENCEFLOWKERNEL_H_*/
