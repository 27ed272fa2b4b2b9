#ifndef OPENMMFLOW_LANEEXPRESSIONMACHINE_H_
#define OPENMMFLOW_LANEEXPRESSIONMACHINE_H_

#include <algorithm>
#include <vector>

#include "ExpressionFunctions.h"
#include "Lanes.h"
#include "openmmflow/internal/ExpressionProgram.h"

/** ExpressionMachine on SIMD lanes. */
namespace OpenMMFlow {
namespace LANE_NAMESPACE {

#include "shared/expressionMachine.cc"

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_LANEEXPRESSIONMACHINE_H_*/
