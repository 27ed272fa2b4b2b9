#ifndef OPENMMFLOW_STAGEDOBJECTIVE_H_
#define OPENMMFLOW_STAGEDOBJECTIVE_H_

#include <memory>
#include <optional>

#include "BatchOrder.h"
#include "BufferedObjective.h"
#include "EnergyPaths.h"
#include "TargetLadder.h"

namespace OpenMMFlow {

/**
 * Stage by stage, samples of the flow as it is are weighted towards the next density on the way to the
 * target, and the flow is trained on them by their weighted likelihood or, with their forces, by its path
 * gradients. The TargetLadder chooses these densities.
 */
class StagedObjective : public BufferedObjective {
public:
    StagedObjective(const TrainableFlow& trainable, const FlowTrainerOptions& options, const Target& target,
                    const ProcessGroup& group);
    double getTemperature(int64_t step) const override { return ladder->getTemperature(step); }

private:
    /** What is known of the samples of a stage besides the buffer, from which it is computed anew when a run
     * resumes. */
    struct Stage {
        int64_t firstStep;
        Frames frames;
        BatchOrder order;
        /** For path gradients of the likelihood: of the flow that drew the samples, and of the target. */
        PathSamples flow;
        EnergyPaths energies;
    };
    double computeBufferGradient(TrainingState& state) override;
    double computeForwardGradient(at::Tensor& parameters, const IntermediateTarget& intermediate,
                                  const std::vector<int64_t>& batch) const;
    IntermediateTarget getMixedTarget(const TrainingState& state) const override;
    /** Nothing if no sample has an energy. */
    std::optional<Stage> drawStage(TrainingState& state) const;
    Stage restoreStage(const SampleBuffer& buffer) const;
    Stage makeStage(const SampleBuffer& buffer) const;
    /** Compute what energies there must be of samples. */
    EnergyPaths computeEnergies(const std::vector<double>& positions) const;
    std::unique_ptr<TargetLadder> ladder;
    std::optional<Stage> stage;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_STAGEDOBJECTIVE_H_*/
