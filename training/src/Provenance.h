#ifndef OPENMMFLOW_PROVENANCE_H_
#define OPENMMFLOW_PROVENANCE_H_

#include <map>
#include <string>

#include "Objective.h"
#include "Target.h"
#include "TrainingData.h"
#include "TrainingState.h"
#include "openmmflow/FlowTrainer.h"

namespace OpenMMFlow {

/** The options on which the weights depend, each as JSON. */
std::map<std::string, std::string> describeSchedule(const FlowTrainerOptions& options);

/** The blocks that are held out, as JSON. */
std::string describeHeldOutBlocks(const TrainingData& data);

/** Facts about the data. */
Objective::Facts describeData(const TrainingData& data);

/** Facts about path gradients of data. */
Objective::Facts describePathGradients(const FlowTrainerOptions& options, const Target& target);

/** Facts about training from the energy alone. */
Objective::Facts describeEnergyTraining(const FlowTrainerOptions& options, const Target& target);

/** How a run ended. */
struct TrainingOutcome {
    /** The hash of the flow that training started from. */
    std::string initialFlow;
    int threads = 0, processes = 1;
    int64_t totalSteps = 0;
    /** Why there were no more steps. */
    std::string ended;
    int64_t energyEvaluations = 0;
    /** Of the flow that training returns. */
    TargetEstimate target;
};

/**
 * How a flow was trained, as JSON: for its metadata.
 *
 * @param facts   those of the objective
 */
std::string describeTraining(const FlowTrainerOptions& options, const Objective::Facts& facts,
                             const TrainingState& state, const TrainingOutcome& outcome);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_PROVENANCE_H_*/
