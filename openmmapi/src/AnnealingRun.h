#ifndef OPENMMFLOW_ANNEALINGRUN_H_
#define OPENMMFLOW_ANNEALINGRUN_H_

#include "AnnealingPath.h"
#include "openmmflow/AnnealingOptions.h"
#include "openmmflow/FlowSampler.h"

namespace OpenMMFlow {

/**
 * Anneal samples first ... first+count-1 of a seed, block by block, by the schedule of the options or that of
 * a pilot run.
 *
 * @param progress   called after each step in beta, of the pilot run also, with the number of samples that
 * have arrived; returning false stops the run, and drops those that are on their way
 */
WeightedEnsemble runAnnealing(AnnealingPath& path, const AnnealingOptions& options, long long count,
                              uint64_t seed, uint64_t first, const FlowSampler::Progress& progress);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ANNEALINGRUN_H_*/
