#ifndef OPENMMFLOW_BOOTSTRAPOBJECTIVE_H_
#define OPENMMFLOW_BOOTSTRAPOBJECTIVE_H_

#include "BufferedObjective.h"
#include "CoordinateAnnealing.h"

namespace OpenMMFlow {

/**
 * Flow annealed importance sampling bootstrap (FAB; Midgley et al. 2023, arXiv 2208.01893): the divergence of
 * order 2, the average of p^2/q^2 over the flow, whose gradient is that of the likelihood of samples of
 * p^2/q. These come from annealed importance sampling and are kept in a buffer, from which batches are drawn
 * in proportion to their weights. The weights change with the flow.
 */
class BootstrapObjective : public BufferedObjective {
public:
    BootstrapObjective(const TrainableFlow& trainable, const FlowTrainerOptions& options,
                       const Target& target, const ProcessGroup& group);
    double getTemperature(int64_t step) const override;

private:
    double computeBufferGradient(TrainingState& state) override;
    IntermediateTarget getMixedTarget(const TrainingState&) const override { return {}; }
    void addSamples(TrainingState& state) const;
    CoordinateAnnealing annealing;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_BOOTSTRAPOBJECTIVE_H_*/
