#ifndef OPENMMFLOW_REFERENCEBATCHEDPOTENTIALKERNEL_H_
#define OPENMMFLOW_REFERENCEBATCHEDPOTENTIALKERNEL_H_

#include <memory>

#include "openmmflow/FlowKernels.h"

namespace OpenMMFlow {

/** BatchedPotentialKernel in double precision, one configuration at a time. It has no properties. */
class ReferenceBatchedPotentialKernel : public BatchedPotentialKernel {
public:
    ReferenceBatchedPotentialKernel(const std::string& name, const OpenMM::Platform& platform);
    ~ReferenceBatchedPotentialKernel();
    void initialize(const PotentialModel& model,
                    const std::map<std::string, std::string>& properties) override;
    std::map<std::string, std::string> getProperties() const override;
    void compute(long long count, const double* positions, double* energies, double* forces) override;

private:
    struct Potential;
    std::map<std::string, std::string> properties;
    std::unique_ptr<Potential> potential;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_REFERENCEBATCHEDPOTENTIALKERNEL_H_*/
