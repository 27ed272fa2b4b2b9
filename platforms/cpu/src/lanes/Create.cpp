#include "CpuFlow.h"
#include "CpuPotential.h"
#include "openmmflow/internal/AugmentedCouplingModel.h"
#include "openmmflow/internal/EquivariantCouplingModel.h"
#include "openmmflow/internal/InternalFlowModel.h"

namespace OpenMMFlow {

namespace lanes_single {
CpuFlow* createInternalFlow(const InternalFlowModel& model);
CpuFlow* createCouplingFlow(const EquivariantCouplingModel& model);
CpuFlow* createCouplingFlow(const AugmentedCouplingModel& model);
CpuPotential* createPotential(const PotentialModel& model);
}  // namespace lanes_single
namespace lanes_double {
CpuFlow* createInternalFlow(const InternalFlowModel& model);
CpuFlow* createCouplingFlow(const EquivariantCouplingModel& model);
CpuFlow* createCouplingFlow(const AugmentedCouplingModel& model);
CpuPotential* createPotential(const PotentialModel& model);
}  // namespace lanes_double

}  // namespace OpenMMFlow

using namespace OpenMMFlow;

extern "C" CpuFlow* openmmflowCreateFlow(const FlowModel& model, bool doublePrecision) {
    if (auto* internal = dynamic_cast<const InternalFlowModel*>(&model))
        return doublePrecision ? lanes_double::createInternalFlow(*internal)
                               : lanes_single::createInternalFlow(*internal);
    if (auto* coupling = dynamic_cast<const EquivariantCouplingModel*>(&model))
        return doublePrecision ? lanes_double::createCouplingFlow(*coupling)
                               : lanes_single::createCouplingFlow(*coupling);
    if (auto* coupling = dynamic_cast<const AugmentedCouplingModel*>(&model))
        return doublePrecision ? lanes_double::createCouplingFlow(*coupling)
                               : lanes_single::createCouplingFlow(*coupling);
    return nullptr;
}

extern "C" CpuPotential* openmmflowCreatePotential(const PotentialModel& model, bool doublePrecision) {
    return doublePrecision ? lanes_double::createPotential(model) : lanes_single::createPotential(model);
}
