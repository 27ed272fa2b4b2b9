#ifndef OPENMMFLOW_PROVENANCE_H_
#define OPENMMFLOW_PROVENANCE_H_

#include <map>
#include <string>

#include "TrainingData.h"
#include "TrainingState.h"
#include "openmmflow/FlowTrainer.h"

namespace OpenMMFlow {

/** The options on which the weights depend, each as JSON. */
std::map<std::string, std::string> describeSchedule(const FlowTrainerOptions& options);

/** The blocks that are held out, as JSON. */
std::string describeHeldOutBlocks(const TrainingData& data);

/** How a run ended. */
struct TrainingOutcome {
    /** The hash of the flow that training started from. */
    std::string initialFlow;
    int threads = 0;
    int64_t totalSteps = 0;
    /** Why there were no more steps. */
    std::string ended;
    /** Of the flow that training returns. */
    TargetEstimate target;
};

/** How a flow was trained, as JSON: for its metadata. */
std::string describeTraining(const FlowTrainerOptions& options, const TrainingData& data,
                             const TrainingState& state, const TrainingOutcome& outcome);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_PROVENANCE_H_*/
