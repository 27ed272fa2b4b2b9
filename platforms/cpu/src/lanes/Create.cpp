#include "CpuFlow.h"

namespace OpenMMFlow {

namespace lanes_single {
CpuFlow* createInternalFlow(const InternalFlowModel& model);
}
namespace lanes_double {
CpuFlow* createInternalFlow(const InternalFlowModel& model);
}

}  // namespace OpenMMFlow

extern "C" OpenMMFlow::CpuFlow* openmmflowCreateInternalFlow(const OpenMMFlow::InternalFlowModel& model,
                                                             bool doublePrecision) {
    return doublePrecision ? OpenMMFlow::lanes_double::createInternalFlow(model)
                           : OpenMMFlow::lanes_single::createInternalFlow(model);
}
