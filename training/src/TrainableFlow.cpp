#include "TrainableFlow.h"

#include "TrainableAugmentedFlow.h"
#include "TrainableInternalFlow.h"
#include "openmm/OpenMMException.h"

using namespace OpenMMFlow;

std::unique_ptr<TrainableFlow> TrainableFlow::create(const Flow& flow, const FlowTrainerOptions& options) {
    const at::ScalarType type = options.precision == "double" ? at::kDouble : at::kFloat;
    if (const auto* model = dynamic_cast<const InternalFlowModel*>(&flow.getModel()))
        return std::make_unique<TrainableInternalFlow>(*model, type);
    if (dynamic_cast<const CouplingModel*>(&flow.getModel()) != nullptr)
        return std::make_unique<TrainableAugmentedFlow>(flow, options);
    throw OpenMM::OpenMMException("Flows of the family \"" + flow.getFamily()
                                  + "\" cannot be trained by FlowTrainer.");
}
