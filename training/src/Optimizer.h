#ifndef OPENMMFLOW_OPTIMIZER_H_
#define OPENMMFLOW_OPTIMIZER_H_

#include "TrainingState.h"
#include "openmmflow/FlowTrainer.h"

namespace OpenMMFlow {

/** Changes the weights of a run step by step: Adam, and the moving average. */
class Optimizer {
public:
    /** @param totalSteps   how many steps the run has, which the learning rate depends on */
    Optimizer(const FlowTrainerOptions& options, int64_t totalSteps)
        : options(options), totalSteps(totalSteps) {}
    /** Get the learning rate of the next step. */
    double getLearningRate(const TrainingState& state) const;
    /**
     * Take a step on the gradient of the parameters, unless that is skipped.
     *
     * @throws OpenMM::OpenMMException if too many were skipped in a row
     */
    void update(TrainingState& state) const;
    /**
     * Find out from the objective of the latest batch whether training on own samples has gone wrong: whether
     * it is far above what it used to be for some steps in a row. Then the weights go back to those of the
     * last validation, and the learning rate is halved from there on.
     *
     * @throws OpenMM::OpenMMException if that has happened too often
     */
    void guard(TrainingState& state, double objective) const;

private:
    FlowTrainerOptions options;
    int64_t totalSteps;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_OPTIMIZER_H_*/
