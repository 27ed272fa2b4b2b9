#ifndef OPENMMFLOW_ENERGYOBJECTIVE_H_
#define OPENMMFLOW_ENERGYOBJECTIVE_H_

#include <memory>

#include "EnergySchedule.h"
#include "IntermediateTarget.h"
#include "Objective.h"
#include "Target.h"
#include "TrainableFlow.h"
#include "openmmflow/BatchedPotential.h"

namespace OpenMMFlow {

/**
 * What training from the energy alone makes small, and the path gradients that each such objective can use.
 *
 * These are gradients of a mixture of the reverse and the forward Kullback-Leibler divergence between the
 * flow and the target, both from samples of the flow (the forward one by their importance weights), which
 * have the forces in them. Forces say little on how much of each conformation there should be; for that, the
 * likelihood of samples by their weights is added.
 */
class EnergyObjective : public Objective {
public:
    /** Create the objective that the options name. The objects must live as long. */
    static std::unique_ptr<EnergyObjective> create(const TrainableFlow& trainable,
                                                   const FlowTrainerOptions& options, const Target& target,
                                                   const ProcessGroup& group);
    std::map<std::string, std::string> getIdentity() const override;
    Facts describe() const override;
    int64_t countSteps() const override { return schedule.countSteps(); }
    bool hasBest() const override { return false; }
    bool isReached(const TrainingState& state) const override;
    double validate(TrainingState& state) const override;

protected:
    EnergyObjective(const TrainableFlow& trainable, const FlowTrainerOptions& options, const Target& target,
                    const ProcessGroup& group);
    /** Set the gradient of the parameters to path gradients on fresh samples, or to this process's part of
     * it. */
    double computePathGradient(TrainingState& state, const IntermediateTarget& intermediate) const;
    /** The target at the temperature of a step. */
    IntermediateTarget getAnnealedTarget(int64_t step) const {
        return {0, target.getTemperature() / getTemperature(step)};
    }
    /** What went wrong if no sample has an energy. */
    [[noreturn]] static void failWithoutEnergies(long long count);
    /** Of the target in kJ/mol. */
    double getKT() const;
    const TrainableFlow& trainable;
    const FlowTrainerOptions& options;
    const Target& target;
    const ProcessGroup& group;
    const EnergySchedule schedule;
    std::unique_ptr<BatchedPotential> potential;

private:
    /** Get what the log density of each sample is worth to mass balancing, from their weights. */
    std::vector<double> computeBalance(const std::vector<double>& weights) const;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ENERGYOBJECTIVE_H_*/
