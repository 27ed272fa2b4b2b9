#ifndef OPENMMFLOW_BUFFEREDOBJECTIVE_H_
#define OPENMMFLOW_BUFFEREDOBJECTIVE_H_

#include "EnergyObjective.h"

namespace OpenMMFlow {

/**
 * The likelihood of samples that are kept for many steps, in the buffer of the state, mixed with path
 * gradients on fresh samples as the options say. Before the first samples are kept, there may be steps of
 * path gradients alone, at the initial temperature.
 */
class BufferedObjective : public EnergyObjective {
public:
    double computeGradient(TrainingState& state) override;
    /** Stages, and what is drawn for them, are counted in steps. */
    bool canHurry() const override { return false; }

protected:
    using EnergyObjective::EnergyObjective;
    /** The number of the first sample that is kept, which neither those of single steps nor those of
     * estimates equal. */
    static constexpr uint64_t firstKeptSample = uint64_t(3) << 61;
    /** Make frames of coordinates (samples, D) with weights (samples). */
    Frames makeFrames(const std::vector<double>& coordinates, const std::vector<double>& weights) const;
    bool isPretraining(int64_t step) const { return step < schedule.countPretrainingSteps(); }
    /** Set the gradient of the parameters to that on samples of the buffer, which may have to be drawn first.
     */
    virtual double computeBufferGradient(TrainingState& state) = 0;
    /** Get what the path gradients that are mixed in are for. */
    virtual IntermediateTarget getMixedTarget(const TrainingState& state) const = 0;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_BUFFEREDOBJECTIVE_H_*/
