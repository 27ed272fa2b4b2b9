#ifndef OPENMMFLOW_ANNEALINGRUN_H_
#define OPENMMFLOW_ANNEALINGRUN_H_

#include "AnnealingPath.h"
#include "openmmflow/AnnealingOptions.h"
#include "openmmflow/FlowSampler.h"

namespace OpenMMFlow {

/**
 * Anneal samples first ... first+count-1 of a seed by the schedule of the options, block by block.
 *
 * @param progress   called after each block; returning false stops the run
 */
WeightedEnsemble runAnnealing(AnnealingPath& path, const AnnealingOptions& options, long long count,
                              uint64_t seed, uint64_t first, const FlowSampler::Progress& progress);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ANNEALINGRUN_H_*/
