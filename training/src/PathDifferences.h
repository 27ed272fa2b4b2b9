#ifndef OPENMMFLOW_PATHDIFFERENCES_H_
#define OPENMMFLOW_PATHDIFFERENCES_H_

#include <cstddef>
#include <vector>

#include <ATen/core/Tensor.h>

#include "EnergyPaths.h"
#include "IntermediateTarget.h"
#include "TrainableFlow.h"
#include "openmmflow/internal/ProcessGroup.h"

namespace OpenMMFlow {

/** The density that a flow is to have at samples, and what it is made of. */
struct PathTarget {
    IntermediateTarget target;
    /** Of the target p, in kJ/mol. */
    double kT;
    const EnergyPaths& energies;
    /** Of the flow as it was; of no effect if its exponent is 0. */
    const PathSamples& flow;
};

/** How a flow differs from another density at samples; those at which either has no density are left out. */
struct PathDifferences {
    /** Which of the samples are there. */
    std::vector<size_t> indices;
    /** (samples, D), the latter of log q minus the other log density. */
    std::vector<double> coordinates, gradient;
    /** As PathSamples has them. */
    std::vector<double> adjoints;
    /** (samples): the other log density, up to a constant, minus log q. */
    std::vector<double> logWeights;

    /**
     * @param samples      (samples, D), with the log density of the flow as it is
     * @param clipFactor   a gradient is scaled down where it is longer than the median by more than this
     * factor; 0 for never
     * @param group        the processes of whose samples it is the median
     */
    PathDifferences(const PathSamples& samples, const PathTarget& target, double clipFactor,
                    const ProcessGroup& group);
    /** Multiply the gradient of each sample by its weight. */
    void weight(const std::vector<double>& weights);
    /** Set the gradient of the parameters to the path gradient, plus that of the sum of worth (samples) times
     * log q unless that is empty. */
    void computeGradient(const TrainableFlow& trainable, at::Tensor& parameters,
                         const std::vector<double>& worth) const;
    /**
     * Set the gradient of the parameters to this process's part of that of the forward divergence from
     * samples of the other density, which are weighted.
     *
     * @param weights      (samples): of all samples of this process, 1 on average over those of all
     * @param batchSize    how many samples all processes have
     * @param likelihood   add the gradient of the average of -log q by weight, times this; above 0 the
     * samples must have what that needs
     * @return the average of -log q by weight over those of all
     */
    double computeForwardGradient(const TrainableFlow& trainable, at::Tensor& parameters,
                                  const PathSamples& samples, const std::vector<double>& weights,
                                  int64_t batchSize, double likelihood, const ProcessGroup& group);
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_PATHDIFFERENCES_H_*/
