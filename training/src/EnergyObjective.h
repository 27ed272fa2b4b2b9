#ifndef OPENMMFLOW_ENERGYOBJECTIVE_H_
#define OPENMMFLOW_ENERGYOBJECTIVE_H_

#include <memory>

#include "Objective.h"
#include "Target.h"
#include "TrainableFlow.h"
#include "openmmflow/BatchedPotential.h"

namespace OpenMMFlow {

/**
 * A mixture of the reverse and the forward Kullback-Leibler divergence between the flow and the target, both
 * from samples of the flow (the forward one by their importance weights), and both by path gradients, which
 * have the forces in them. Forces say little on how much of each conformation there should be; for that, the
 * likelihood of samples by their weights is added. The temperature of the target falls from a high one,
 * geometrically.
 */
class EnergyObjective : public Objective {
public:
    /** The objects must live as long. */
    EnergyObjective(const TrainableFlow& trainable, const FlowTrainerOptions& options, const Target& target,
                    const ProcessGroup& group);
    std::map<std::string, std::string> getIdentity() const override;
    Facts describe() const override;
    int64_t countSteps() const override;
    int64_t getEvaluationsPerStep() const override { return options.batchSize; }
    double getTemperature(int64_t step) const override;
    double computeGradient(at::Tensor& parameters, int64_t step) override;
    bool hasBest() const override { return false; }
    bool isReached(const TrainingState& state) const override;
    double validate(TrainingState& state) const override;

private:
    /** Get what the log density of each sample is worth to mass balancing, from their weights. */
    std::vector<double> computeBalance(const std::vector<double>& weights) const;
    const TrainableFlow& trainable;
    const FlowTrainerOptions& options;
    const Target& target;
    const ProcessGroup& group;
    std::unique_ptr<BatchedPotential> potential;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ENERGYOBJECTIVE_H_*/
