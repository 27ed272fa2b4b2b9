#ifndef OPENMMFLOW_FLOWMOVECHECKS_H_
#define OPENMMFLOW_FLOWMOVECHECKS_H_

#include <utility>
#include <vector>

#include "openmm/internal/ContextImpl.h"
#include "openmmflow/MonteCarloFlowMove.h"

/** What must hold for flow moves to be exact. Each check throws an OpenMMException that says what to do. */
namespace OpenMMFlow {

/** Check what does not change in the life of a Context. */
void checkFlowMove(const MonteCarloFlowMove& move, const std::vector<int>& particles,
                   OpenMM::ContextImpl& context);

/** Check that the temperature of the moves is that of the integrator and of an AndersenThermostat. */
void checkMatchingTemperature(double temperature, OpenMM::ContextImpl& context);

/** Get the bonds of a Context's Forces between some particles: two indices in the System for each. */
std::vector<std::pair<int, int>> findBonds(OpenMM::ContextImpl& context, const std::vector<int>& particles);

/** Check that the two particles of each bond lie in the same periodic image. */
void checkWhole(const std::vector<std::pair<int, int>>& bonds, const std::vector<OpenMM::Vec3>& positions,
                OpenMM::ContextImpl& context);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FLOWMOVECHECKS_H_*/
