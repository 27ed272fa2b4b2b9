#ifndef OPENMMFLOW_CHECKOPTIONS_H_
#define OPENMMFLOW_CHECKOPTIONS_H_

#include "openmmflow/FlowTrainer.h"

namespace OpenMMFlow {

/** @throws OpenMM::OpenMMException, a sentence, if an option makes no sense */
void checkOptions(const FlowTrainerOptions& options);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CHECKOPTIONS_H_*/
