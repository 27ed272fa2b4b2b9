#include "TrainableFlow.h"

#include "SelectRows.h"
#include "TrainableAugmentedFlow.h"
#include "TrainableInternalFlow.h"
#include "openmm/OpenMMException.h"

using namespace OpenMMFlow;

std::unique_ptr<TrainableFlow> TrainableFlow::create(const Flow& flow, const FlowTrainerOptions& options) {
    if (dynamic_cast<const InternalFlowModel*>(&flow.getModel()) != nullptr)
        return std::make_unique<TrainableInternalFlow>(flow, options);
    if (dynamic_cast<const CouplingModel*>(&flow.getModel()) != nullptr)
        return std::make_unique<TrainableAugmentedFlow>(flow, options);
    throw OpenMM::OpenMMException("Flows of the family \"" + flow.getFamily()
                                  + "\" cannot be trained by FlowTrainer.");
}

PathSamples PathSamples::select(const std::vector<int64_t>& samples) const {
    return {{},
            selectRows(coordinates, samples, logQ.size()),
            selectRows(logQ, samples, logQ.size()),
            selectRows(gradient, samples, logQ.size()),
            {}};
}
