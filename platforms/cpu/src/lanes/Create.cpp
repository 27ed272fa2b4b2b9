#include "CpuFlow.h"
#include "CpuPotential.h"

namespace OpenMMFlow {

namespace lanes_single {
CpuFlow* createInternalFlow(const InternalFlowModel& model);
CpuPotential* createPotential(const PotentialModel& model);
}  // namespace lanes_single
namespace lanes_double {
CpuFlow* createInternalFlow(const InternalFlowModel& model);
CpuPotential* createPotential(const PotentialModel& model);
}  // namespace lanes_double

}  // namespace OpenMMFlow

extern "C" OpenMMFlow::CpuFlow* openmmflowCreateInternalFlow(const OpenMMFlow::InternalFlowModel& model,
                                                             bool doublePrecision) {
    return doublePrecision ? OpenMMFlow::lanes_double::createInternalFlow(model)
                           : OpenMMFlow::lanes_single::createInternalFlow(model);
}

extern "C" OpenMMFlow::CpuPotential* openmmflowCreatePotential(const OpenMMFlow::PotentialModel& model,
                                                               bool doublePrecision) {
    return doublePrecision ? OpenMMFlow::lanes_double::createPotential(model)
                           : OpenMMFlow::lanes_single::createPotential(model);
}
