#ifndef OPENMMFLOW_ENERGYSCHEDULE_H_
#define OPENMMFLOW_ENERGYSCHEDULE_H_

#include <cstdint>

#include "openmmflow/FlowTrainer.h"

namespace OpenMMFlow {

/** When training from the energy alone does what. */
class EnergySchedule {
public:
    /** @param temperature   that of the target in K */
    EnergySchedule(const FlowTrainerOptions& options, double temperature);
    /** Get how many steps a run has. */
    int64_t countSteps() const { return numSteps; }
    /** Get how many steps at the beginning are of path gradients alone. */
    int64_t countPretrainingSteps() const { return numPretraining; }
    /** Get the number of the step at which the annealing ends, which need not be whole. */
    double getAnnealingEnd() const { return annealingEnd; }
    /** Get the temperature in K when so much of the annealing is over, in [0, 1]. */
    double getTemperature(double progress) const;

private:
    double temperature, initialTemperature;
    int64_t numSteps, numPretraining;
    double annealingEnd;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ENERGYSCHEDULE_H_*/
