#ifndef OPENMMFLOW_H_
#define OPENMMFLOW_H_

#include "openmmflow/AnnealingOptions.h"
#include "openmmflow/AnnealingSchedule.h"
#include "openmmflow/AugmentedParticles.h"
#include "openmmflow/BatchedHMCIntegrator.h"
#include "openmmflow/BatchedIntegrator.h"
#include "openmmflow/BatchedLangevinMiddleIntegrator.h"
#include "openmmflow/BatchedPotential.h"
#include "openmmflow/BoltzmannGeneratorForce.h"
#include "openmmflow/Flow.h"
#include "openmmflow/FlowBuilder.h"
#include "openmmflow/FlowContext.h"
#include "openmmflow/FlowMoveStatistics.h"
#include "openmmflow/FlowSampler.h"
#include "openmmflow/Molecule.h"
#include "openmmflow/MonteCarloFlowMove.h"
#include "openmmflow/ReplicaExchange.h"
#include "openmmflow/Version.h"
#include "openmmflow/WeightedEnsemble.h"

#endif /*OPENMMFLOW_H_*/
