#ifndef OPENMMFLOW_CPUBATCHEDPOTENTIALKERNEL_H_
#define OPENMMFLOW_CPUBATCHEDPOTENTIALKERNEL_H_

#include <memory>
#include <vector>

#include "BlockThreads.h"
#include "CpuPotential.h"
#include "openmmflow/FlowKernels.h"

namespace OpenMMFlow {

/** BatchedPotentialKernel on the CPU platform: configurations are SIMD lanes, blocks of them are shared out
 * over threads. */
class CpuBatchedPotentialKernel : public BatchedPotentialKernel {
public:
    using BatchedPotentialKernel::BatchedPotentialKernel;
    void initialize(const PotentialModel& model,
                    const std::map<std::string, std::string>& properties) override;
    std::map<std::string, std::string> getProperties() const override;
    void compute(long long count, const double* positions, double* energies, double* forces) override;

private:
    std::map<std::string, std::string> properties;
    size_t numCoordinates = 0;
    std::vector<std::unique_ptr<CpuPotential>> potentials;
    std::unique_ptr<BlockThreads> threads;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CPUBATCHEDPOTENTIALKERNEL_H_*/
