#include "IntegratorTraits.h"

#include <limits>
#include <string>

#include "openmm/BrownianIntegrator.h"
#include "openmm/CompoundIntegrator.h"
#include "openmm/CustomIntegrator.h"
#include "openmm/DPDIntegrator.h"
#include "openmm/LangevinMiddleIntegrator.h"
#include "openmm/NoseHooverIntegrator.h"
#include "openmm/OpenMMException.h"
#include "openmm/QTBIntegrator.h"
#include "openmm/VariableLangevinIntegrator.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

const double UNKNOWN = numeric_limits<double>::quiet_NaN();

/** The temperature of an integrator that is one of these. */
template <class First, class... Others>
double findTemperature(const Integrator& integrator) {
    if (auto* known = dynamic_cast<const First*>(&integrator))
        return known->getTemperature();
    if constexpr (sizeof...(Others) > 0)
        return findTemperature<Others...>(integrator);
    return UNKNOWN;
}

/** The way to a protected method that OpenMM's own setVelocitiesToTemperature() uses. */
class IntegratorAccess : public Integrator {
public:
    static double getTimeOffset(const Integrator& integrator) {
        return (integrator.*&IntegratorAccess::getVelocityTimeOffset)();
    }
};

}  // namespace

const Integrator& getCurrentIntegrator(const Integrator& integrator) {
    auto* compound = dynamic_cast<const CompoundIntegrator*>(&integrator);
    return compound == nullptr ? integrator : compound->getIntegrator(compound->getCurrentIntegrator());
}

double getTemperature(const Integrator& integrator) {
    if (auto* noseHoover = dynamic_cast<const NoseHooverIntegrator*>(&integrator))
        return noseHoover->getNumThermostats() == 0 ? UNKNOWN : noseHoover->getTemperature();
    return findTemperature<LangevinMiddleIntegrator, BrownianIntegrator, VariableLangevinIntegrator,
                           DPDIntegrator, QTBIntegrator>(integrator);
}

double getVelocityLag(const Integrator& integrator) {
    return IntegratorAccess::getTimeOffset(integrator);
}

bool isLangevinMiddle(const Integrator& integrator) {
    return dynamic_cast<const LangevinMiddleIntegrator*>(&integrator) != nullptr;
}

void checkUpdatesContextState(const Integrator& integrator) {
    if (auto* compound = dynamic_cast<const CompoundIntegrator*>(&integrator))
        for (int i = 0; i < compound->getNumIntegrators(); i++)
            checkUpdatesContextState(compound->getIntegrator(i));
    auto* custom = dynamic_cast<const CustomIntegrator*>(&integrator);
    if (custom == nullptr)
        return;
    int count = 0;
    for (int i = 0; i < custom->getNumComputations(); i++) {
        CustomIntegrator::ComputationType type;
        string variable, expression;
        custom->getComputationStep(i, type, variable, expression);
        count += type == CustomIntegrator::UpdateContextState;
    }
    if (count != 1)
        throw OpenMMException(
            "The CustomIntegrator updates the state of its Context " + to_string(count)
            + " times a step, and flow moves need it once: call addUpdateContextState() once.");
}

}  // namespace OpenMMFlow
