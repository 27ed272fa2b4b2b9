#ifndef OPENMMFLOW_PATHDIFFERENCES_H_
#define OPENMMFLOW_PATHDIFFERENCES_H_

#include <cstddef>
#include <vector>

#include "TrainableFlow.h"
#include "openmmflow/BatchedPotential.h"
#include "openmmflow/internal/ProcessGroup.h"

namespace OpenMMFlow {

/** How a flow differs from a Boltzmann distribution at samples; those at which either has no density are left
 * out. */
struct PathDifferences {
    /** Which of the samples are there. */
    std::vector<size_t> indices;
    /** (samples, D), the latter of log q + U/kT. */
    std::vector<double> coordinates, gradient;
    /** Of samples of the flow; as PathSamples has them. */
    std::vector<double> adjoints;
    /** (samples): -U/kT - log q. */
    std::vector<double> logWeights;

    /**
     * @param kT           in kJ/mol
     * @param clipFactor   a gradient is scaled down where it is longer than the median by more than this
     * factor; 0 for never
     * @param group        the processes of whose samples it is the median
     */
    PathDifferences(const TrainableFlow& trainable, const PathSamples& samples, BatchedPotential& potential,
                    double kT, double clipFactor, const ProcessGroup& group);
    /** Multiply the gradient of each sample by its weight. */
    void weight(const std::vector<double>& weights);
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_PATHDIFFERENCES_H_*/
