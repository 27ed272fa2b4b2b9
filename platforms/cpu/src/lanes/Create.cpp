#include "CpuFlow.h"

namespace OpenMMFlow {

namespace lanes_single {
CpuFlow* createInternalFlow(const InternalFlowModel& model, const MatrixProducts& products);
}
namespace lanes_double {
CpuFlow* createInternalFlow(const InternalFlowModel& model, const MatrixProducts& products);
}

}  // namespace OpenMMFlow

extern "C" OpenMMFlow::CpuFlow* openmmflowCreateInternalFlow(const OpenMMFlow::InternalFlowModel& model,
                                                             const OpenMMFlow::MatrixProducts& products,
                                                             bool doublePrecision) {
    return doublePrecision ? OpenMMFlow::lanes_double::createInternalFlow(model, products)
                           : OpenMMFlow::lanes_single::createInternalFlow(model, products);
}
