#ifndef OPENMMFLOW_CPUPOTENTIAL_H_
#define OPENMMFLOW_CPUPOTENTIAL_H_

#include "openmmflow/internal/PotentialModel.h"

namespace OpenMMFlow {

/** A PotentialModel converted to one precision and one instruction set, and the memory that it takes. Each
 * thread has its own. */
class CpuPotential {
public:
    virtual ~CpuPotential() = default;
    /** Arrays are as for BatchedPotentialKernel. */
    virtual void compute(long long count, const double* positions, double* energies, double* forces) = 0;
};

/** What a library for one instruction set provides, by the name "openmmflowCreatePotential". */
using CreatePotential = CpuPotential*(const PotentialModel& model, bool doublePrecision);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CPUPOTENTIAL_H_*/
