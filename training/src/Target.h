#ifndef OPENMMFLOW_TARGET_H_
#define OPENMMFLOW_TARGET_H_

#include <limits>
#include <memory>

#include "openmm/System.h"
#include "openmmflow/Flow.h"
#include "openmmflow/FlowTrainer.h"
#include "openmmflow/internal/ProcessGroup.h"

namespace OpenMMFlow {

/** How well proposals cover the target; without a target there are none, and the rest is NaN. */
struct TargetEstimate {
    int proposals = 0;
    double effectiveSampleFraction = std::numeric_limits<double>::quiet_NaN();
    double paretoK = std::numeric_limits<double>::quiet_NaN();
    /** The average of log q + U/kT: the reverse Kullback-Leibler divergence minus log Z. */
    double reverseDivergence = std::numeric_limits<double>::quiet_NaN();
};

/** What a flow is to propose: a System at a temperature. */
class Target {
public:
    /**
     * @param flow   what proposes
     * @throws OpenMM::OpenMMException if System, flow and temperature do not belong together
     */
    Target(const OpenMM::System& system, double temperature, const Flow& flow,
           const FlowTrainerOptions& options);
    const OpenMM::System& getSystem() const { return *system; }
    /** Get the temperature in K. */
    double getTemperature() const { return temperature; }
    /** Estimate from as many proposals as the options say, which depend on the step and are shared by
     * processes. */
    TargetEstimate estimate(const Flow& flow, int64_t step, const ProcessGroup& group) const;

private:
    std::unique_ptr<OpenMM::System> system;
    double temperature;
    FlowTrainerOptions options;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TARGET_H_*/
