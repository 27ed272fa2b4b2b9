#ifndef OPENMMFLOW_ANNEALINGPILOT_H_
#define OPENMMFLOW_ANNEALINGPILOT_H_

#include <functional>

#include "AnnealingPath.h"
#include "openmmflow/AnnealingOptions.h"

namespace OpenMMFlow {

/**
 * Find a schedule by a sequential Monte Carlo run of its own: the next beta is the one whose conditional
 * effective sample fraction is that of the options, by bisection, and the step size is changed until the
 * acceptance is.
 *
 * @param proceed   called after each step with the number of steps so far; returning false stops the run
 * @return the schedule, which does not end at beta = 1 if the run was stopped
 * @throws OpenMM::OpenMMException if no sample of the flow has a finite energy, or if the way to the target
 * is too long
 */
AnnealingSchedule planAnnealing(AnnealingPath& path, const AnnealingOptions& options,
                                const std::function<bool(long long steps)>& proceed);

/** The most steps that a schedule may have. */
const long long MOST_ANNEALING_STEPS = 1000;

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ANNEALINGPILOT_H_*/
