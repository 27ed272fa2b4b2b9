#ifndef OPENMMFLOW_POTENTIALTRANSLATOR_H_
#define OPENMMFLOW_POTENTIALTRANSLATOR_H_

#include <map>
#include <stdexcept>
#include <string>

#include "openmm/System.h"
#include "openmmflow/internal/PotentialModel.h"

namespace OpenMMFlow {

/** Why a System cannot be translated: a phrase that names the Force or virtual site, to be continued or put
 * after a colon. */
class UntranslatableForce : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/**
 * Translate the Forces and virtual sites of a System into terms. Forces that have no energy (thermostats,
 * CMMotionRemover) are passed over.
 *
 * @param system       the System
 * @param parameters   the global parameters of its Forces
 * @param groups       the force groups to include, as a bit mask
 * @throws UntranslatableForce for a Force or virtual site, or an option of one, that has no translation
 */
PotentialModel translatePotential(const OpenMM::System& system,
                                  const std::map<std::string, double>& parameters, int groups = -1);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_POTENTIALTRANSLATOR_H_*/
