#ifndef OPENMMFLOW_PATHGRADIENTOBJECTIVE_H_
#define OPENMMFLOW_PATHGRADIENTOBJECTIVE_H_

#include "EnergyObjective.h"

namespace OpenMMFlow {

/** Path gradients on fresh samples, while the temperature of the target falls from a high one, geometrically.
 */
class PathGradientObjective : public EnergyObjective {
public:
    PathGradientObjective(const TrainableFlow& trainable, const FlowTrainerOptions& options,
                          const Target& target, const ProcessGroup& group)
        : EnergyObjective(trainable, options, target, group) {}
    double getTemperature(int64_t step) const override;
    double computeGradient(TrainingState& state) override;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_PATHGRADIENTOBJECTIVE_H_*/
