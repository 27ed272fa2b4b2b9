#ifndef OPENMMFLOW_TEMPERATURELADDER_H_
#define OPENMMFLOW_TEMPERATURELADDER_H_

#include "TargetLadder.h"

namespace OpenMMFlow {

/**
 * Annealed importance training (Schopmans and Friederich 2025, arXiv 2501.19077): the target at temperatures
 * that fall geometrically from stage to stage, until the annealing ends.
 */
class TemperatureLadder : public TargetLadder {
public:
    TemperatureLadder(const FlowTrainerOptions& options, double temperature);
    double getTemperature(int64_t step) const override;
    IntermediateTarget choose(const SampleBuffer& buffer) const override;

private:
    double temperature;
    EnergySchedule schedule;
    int64_t stageSteps;
    /** How many stages the temperature falls over. */
    double numRungs;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TEMPERATURELADDER_H_*/
