#ifndef OPENMMFLOW_OPTIMIZER_H_
#define OPENMMFLOW_OPTIMIZER_H_

#include "KroneckerBases.h"
#include "TrainingState.h"
#include "openmmflow/FlowTrainer.h"

namespace OpenMMFlow {

/**
 * Changes the weights of a run step by step, by Adam (Kingma and Ba 2015, arXiv 1412.6980) or, in the bases
 * that KroneckerBases finds, by SOAP (Vyas et al. 2024, arXiv 2409.11321); and their moving average.
 */
class Optimizer {
public:
    /**
     * @param layers       the places of the weight matrices
     * @param totalSteps   how many steps the run has, which the learning rate depends on
     */
    Optimizer(const FlowTrainerOptions& options, const std::vector<LayerPlace>& layers, int64_t totalSteps);
    /** Get the state that a run with these weights begins in. */
    TrainingState begin(const at::Tensor& parameters) const;
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
    /**
     * Find out from the latest validation whether path gradients of data have drifted away from the best
     * weights, which they do if the learning rate is too high for them. Then the weights go back to these,
     * and it is halved from there on.
     *
     * @throws OpenMM::OpenMMException if that has happened too often
     */
    void limitDrift(TrainingState& state) const;

private:
    /** To the best weights, with half of the learning rate. */
    void goBack(TrainingState& state) const;
    void takeAdamStep(TrainingState& state, double learningRate, double divisor) const;
    void takeSoapStep(TrainingState& state, double learningRate, double divisor) const;
    FlowTrainerOptions options;
    /** Of no matrices, unless the optimiser is SOAP. */
    KroneckerBases kronecker;
    int64_t totalSteps;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_OPTIMIZER_H_*/
