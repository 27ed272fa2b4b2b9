#ifndef OPENMMFLOW_MASSTRANSPORTLADDER_H_
#define OPENMMFLOW_MASSTRANSPORTLADDER_H_

#include "TargetLadder.h"

namespace OpenMMFlow {

/**
 * Constrained mass transport (von Klitzing et al. 2025, arXiv 2510.18460): the density that is nearest to the
 * target within bounds on how far it is from the flow, and on how much less entropy it has.
 */
class MassTransportLadder : public TargetLadder {
public:
    MassTransportLadder(const FlowTrainerOptions& options, double temperature);
    double getTemperature(int64_t step) const override;
    IntermediateTarget choose(const SampleBuffer& buffer) const override;

private:
    double temperature;
    EnergySchedule schedule;
    double trustRegion, entropyDecay;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_MASSTRANSPORTLADDER_H_*/
