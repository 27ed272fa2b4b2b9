#include "TranslationInvariance.h"

#include "openmm/AndersenThermostat.h"
#include "openmm/CMAPTorsionForce.h"
#include "openmm/CMMotionRemover.h"
#include "openmm/CustomAngleForce.h"
#include "openmm/CustomBondForce.h"
#include "openmm/CustomGBForce.h"
#include "openmm/CustomNonbondedForce.h"
#include "openmm/CustomTorsionForce.h"
#include "openmm/GBSAOBCForce.h"
#include "openmm/HarmonicAngleForce.h"
#include "openmm/HarmonicBondForce.h"
#include "openmm/NonbondedForce.h"
#include "openmm/PeriodicTorsionForce.h"
#include "openmm/RBTorsionForce.h"

using namespace OpenMM;

namespace OpenMMFlow {

namespace {

template <class... Forces>
bool isOneOf(const Force& force) {
    return (... || (dynamic_cast<const Forces*>(&force) != nullptr));
}

}  // namespace

bool isTranslationInvariant(const System& system) {
    for (int i = 0; i < system.getNumForces(); i++)
        if (!isOneOf<HarmonicBondForce, HarmonicAngleForce, PeriodicTorsionForce, RBTorsionForce,
                     CMAPTorsionForce, NonbondedForce, GBSAOBCForce, CustomBondForce, CustomAngleForce,
                     CustomTorsionForce, CustomNonbondedForce, CustomGBForce, CMMotionRemover,
                     AndersenThermostat>(system.getForce(i)))
            return false;
    return true;
}

}  // namespace OpenMMFlow
