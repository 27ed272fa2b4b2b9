#include "openmmflow/internal/PotentialTranslator.h"

#include "Translations.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/internal/ForceKinds.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

PotentialModel translatePotential(const System& system, const Parameters& parameters, int groups) {
    PotentialModelBuilder builder(system);
    translateVirtualSites(system, builder);
    for (int i = 0; i < system.getNumForces(); i++) {
        const Force& force = system.getForce(i);
        if (isWithoutEnergy(force) || (groups >> force.getForceGroup() & 1) == 0)
            continue;
        bool isPeriodic = false;
        try {
            isPeriodic = force.usesPeriodicBoundaryConditions();
        } catch (const exception&) {
            // Forces that do not say.
        }
        if (isPeriodic)
            throw UntranslatableForce(force.getName() + " with periodic boundary conditions");
        bool isTranslated;
        try {
            isTranslated = translateBonded(force, builder) || translateNonbonded(force, parameters, builder)
                           || translateGeneralizedBorn(force, builder)
                           || translateCustomBonded(force, parameters, builder)
                           || translateCustomNonbonded(force, parameters, builder)
                           || translateCustomBorn(force, parameters, builder);
        } catch (const OpenMMException& e) {
            throw UntranslatableForce(force.getName() + " (" + e.what() + ")");
        }
        if (!isTranslated)
            throw UntranslatableForce(force.getName());
    }
    return builder.build();
}

}  // namespace OpenMMFlow
