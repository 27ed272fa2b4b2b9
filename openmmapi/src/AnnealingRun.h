#ifndef OPENMMFLOW_ANNEALINGRUN_H_
#define OPENMMFLOW_ANNEALINGRUN_H_

#include <functional>
#include <vector>

#include "AnnealingPath.h"
#include "openmmflow/AnnealingOptions.h"
#include "openmmflow/FlowSampler.h"
#include "openmmflow/WeightedEnsemble.h"

namespace OpenMMFlow {

/** The annealing of samples first ... first+count-1 of a seed, block by block. */
class AnnealingRun {
public:
    /**
     * Find the schedule in a pilot run, unless the options have one.
     *
     * @param options    which must have been checked
     * @param progress   called after each step in beta, of the pilot run also, with the number of samples
     *                   that are done, to which those on their way add the part of it that they have come;
     *                   returning false stops the run
     */
    AnnealingRun(const AnnealingPath& path, const AnnealingOptions& options,
                 const WeightedEnsemble::SampleRange& range, const FlowSampler::Progress& progress);
    /**
     * Get an ensemble without samples, for whose sample range and metadata a file needs as much room as for
     * those of the final one at most.
     */
    WeightedEnsemble describe() const;
    /**
     * Anneal. Samples that are on their way when the run is stopped are dropped.
     *
     * @param keep   takes the positions of each block, which the ensemble does not hold
     */
    WeightedEnsemble run(const std::function<void(const std::vector<double>&)>& keep);

private:
    WeightedEnsemble makeEnsemble(std::vector<double> logWeights,
                                  std::vector<double> reducedPotentials) const;
    AnnealingPath path;
    long long islandSize;
    double resamplingThreshold;
    WeightedEnsemble::SampleRange range;
    FlowSampler::Progress progress;
    AnnealingSchedule schedule;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ANNEALINGRUN_H_*/
