#ifndef OPENMMFLOW_ANNEALINGPILOT_H_
#define OPENMMFLOW_ANNEALINGPILOT_H_

#include "AnnealingPath.h"
#include "openmmflow/AnnealingOptions.h"

namespace OpenMMFlow {

/**
 * Find a schedule by a sequential Monte Carlo run of its own: the next beta is the one whose conditional
 * effective sample fraction is that of the options, by bisection, and the step size is changed until the
 * acceptance is.
 *
 * @throws OpenMM::OpenMMException if no sample of the flow has a finite energy, or if the way to the target
 * is too long
 */
AnnealingSchedule planAnnealing(AnnealingPath& path, const AnnealingOptions& options);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ANNEALINGPILOT_H_*/
