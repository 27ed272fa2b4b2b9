#ifndef OPENMMFLOW_LIKELIHOODOBJECTIVE_H_
#define OPENMMFLOW_LIKELIHOODOBJECTIVE_H_

#include "BatchOrder.h"
#include "Objective.h"
#include "Target.h"
#include "TrainableFlow.h"
#include "TrainingData.h"
#include "openmmflow/BatchedPotential.h"

namespace OpenMMFlow {

/** The negative log likelihood of data, some of which are held out to choose the best weights by. */
class LikelihoodObjective : public Objective {
public:
    /**
     * The objects must live as long; the data's arrays are taken away.
     *
     * @param target   for path gradients; may be null without them
     */
    LikelihoodObjective(const TrainableFlow& trainable, const FlowTrainerOptions& options, TrainingData& data,
                        const Target* target, const ProcessGroup& group);
    std::map<std::string, std::string> getIdentity() const override;
    Facts describe() const override;
    int64_t countSteps() const override;
    int64_t getEpochSize() const override { return data.training.numFrames; }
    double getTemperature(int64_t) const override;
    double computeGradient(TrainingState& state) override;
    bool hasBest() const override { return true; }
    bool canDrift() const override { return options.pathGradients; }
    double validate(TrainingState& state) const override;

private:
    /** The same with the forces there. */
    double computePathGradient(TrainingState& state, const std::vector<int64_t>& batch) const;
    const TrainableFlow& trainable;
    const FlowTrainerOptions& options;
    const TrainingData& data;
    Frames training, validation;
    BatchOrder order;
    const Target* target;
    const ProcessGroup& group;
    std::unique_ptr<BatchedPotential> potential;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_LIKELIHOODOBJECTIVE_H_*/
