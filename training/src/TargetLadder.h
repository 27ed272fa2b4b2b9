#ifndef OPENMMFLOW_TARGETLADDER_H_
#define OPENMMFLOW_TARGETLADDER_H_

#include <memory>
#include <string>

#include "EnergySchedule.h"
#include "IntermediateTarget.h"
#include "SampleBuffer.h"

namespace OpenMMFlow {

/** Chooses what the samples of each stage are weighted towards. */
class TargetLadder {
public:
    /** Create that of the objective which the options name. @param temperature   of the target in K */
    static std::unique_ptr<TargetLadder> create(const FlowTrainerOptions& options, double temperature);
    virtual ~TargetLadder() = default;
    /** Get the temperature in K of the target at a step. */
    virtual double getTemperature(int64_t step) const = 0;
    /** Choose for a stage that begins with these samples. */
    virtual IntermediateTarget choose(const SampleBuffer& buffer) const = 0;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TARGETLADDER_H_*/
