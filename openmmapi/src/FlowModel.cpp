#include "openmmflow/internal/FlowModel.h"

#include "Quote.h"
#include "openmmflow/internal/AugmentedCouplingModel.h"
#include "openmmflow/internal/EquivariantCouplingModel.h"
#include "openmmflow/internal/InternalFlowModel.h"
#include "openmmflow/internal/TensorFile.h"

namespace OpenMMFlow {

std::shared_ptr<const FlowModel> FlowModel::read(const TensorFile& file) {
    const std::string& family = file.getMetadata("family");
    if (family == "internal")
        return InternalFlowModel::read(file);
    if (family == "equivariant-coupling")
        return EquivariantCouplingModel::read(file);
    if (family == "augmented-coupling")
        return AugmentedCouplingModel::read(file);
    file.fail("the flow family " + quote(family)
              + " is not known to this version of openmm-flow, which may be too old");
}

}  // namespace OpenMMFlow
