#ifndef OPENMMFLOW_REFERENCECOUPLINGFLOW_H_
#define OPENMMFLOW_REFERENCECOUPLINGFLOW_H_

#include <memory>
#include <vector>

#include "ReferenceFlowKernel.h"

namespace OpenMMFlow {

/** A coupling flow (CouplingModel) of any family, one sample at a time. */
class ReferenceCouplingFlow : public ReferenceFlow {
public:
    explicit ReferenceCouplingFlow(const Flow& flow);
    ~ReferenceCouplingFlow();
    double sample(uint64_t seed, uint64_t index, double* positions) const override;
    double computeLogDensity(const double* positions, double* gradient) const override;
    /**
     * The flow as a map, from a joint configuration (N+A, 3) of the base to one of the flow, and back; both
     * have the centre of x at the origin on exit.
     *
     * @return the joint log density of the latter
     */
    double transform(const double* base, double* positions) const;
    double invert(const double* positions, double* base) const;
    /** As FlowGradientKernel. */
    void setParameters(const double* parameters);
    /** As FlowGradientKernel::compute(), of one joint configuration; the gradient is added. */
    void addParameterGradient(const double* positions, double worth, double penaltyWorth, double& logQ,
                              double& penalty, double* gradient) const;

    struct Implementation;

private:
    Flow flow;
    std::unique_ptr<Implementation> impl;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_REFERENCECOUPLINGFLOW_H_*/
