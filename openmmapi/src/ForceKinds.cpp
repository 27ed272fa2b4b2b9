#include "openmmflow/internal/ForceKinds.h"

#include "openmm/AndersenThermostat.h"
#include "openmm/CMMotionRemover.h"
#include "openmm/MonteCarloAnisotropicBarostat.h"
#include "openmm/MonteCarloBarostat.h"
#include "openmm/MonteCarloFlexibleBarostat.h"
#include "openmm/MonteCarloMembraneBarostat.h"
#include "openmmflow/MonteCarloFlowMove.h"

using namespace OpenMM;

namespace OpenMMFlow {

bool isWithoutEnergy(const Force& force) {
    return dynamic_cast<const AndersenThermostat*>(&force) || dynamic_cast<const CMMotionRemover*>(&force)
           || dynamic_cast<const MonteCarloBarostat*>(&force)
           || dynamic_cast<const MonteCarloAnisotropicBarostat*>(&force)
           || dynamic_cast<const MonteCarloFlexibleBarostat*>(&force)
           || dynamic_cast<const MonteCarloMembraneBarostat*>(&force)
           || dynamic_cast<const MonteCarloFlowMove*>(&force);
}

}  // namespace OpenMMFlow
