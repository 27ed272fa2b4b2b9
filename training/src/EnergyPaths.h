#ifndef OPENMMFLOW_ENERGYPATHS_H_
#define OPENMMFLOW_ENERGYPATHS_H_

#include <cstdint>
#include <vector>

#include "TrainableFlow.h"
#include "openmmflow/BatchedPotential.h"

namespace OpenMMFlow {

/** The energies of samples, and their gradients by the coordinates that a flow learns from. */
struct EnergyPaths {
    /** (samples) in kJ/mol. */
    std::vector<double> energies;
    /** (samples, D). */
    std::vector<double> gradient;

    /** @param positions   (samples, N, 3) in nm */
    static EnergyPaths compute(const TrainableFlow& trainable, const std::vector<double>& positions,
                               BatchedPotential& potential);
    /** Get some of them. */
    EnergyPaths select(const std::vector<int64_t>& samples) const;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ENERGYPATHS_H_*/
