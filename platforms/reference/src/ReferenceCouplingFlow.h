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
    /**
     * The gradient of the log density of a joint configuration (N+A, 3) with respect to the parameters of the
     * model, which is added to `gradient`.
     */
    void addParameterGradient(const double* positions, std::vector<double>& gradient) const;

    struct Implementation;

private:
    Flow flow;
    std::unique_ptr<Implementation> impl;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_REFERENCECOUPLINGFLOW_H_*/
