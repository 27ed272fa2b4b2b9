#ifndef OPENMMFLOW_PROVENANCE_H_
#define OPENMMFLOW_PROVENANCE_H_

#include <string>

#include "TrainingData.h"
#include "TrainingState.h"
#include "openmmflow/FlowTrainer.h"

namespace OpenMMFlow {

/** The options on which the weights depend, as JSON. */
std::string describeSchedule(const FlowTrainerOptions& options);

/** The blocks that are held out, as JSON. */
std::string describeHeldOutBlocks(const TrainingData& data);

/** How a flow was trained, as JSON: for its metadata. */
std::string describeTraining(const FlowTrainerOptions& options, const TrainingData& data,
                             const TrainingState& state, int64_t totalSteps);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_PROVENANCE_H_*/
