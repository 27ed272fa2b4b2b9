#ifndef OPENMMFLOW_TRANSLATIONS_H_
#define OPENMMFLOW_TRANSLATIONS_H_

#include <map>
#include <string>

#include "PotentialModelBuilder.h"
#include "openmm/Force.h"
#include "openmm/System.h"

namespace OpenMMFlow {

/** Values of the global parameters. */
using Parameters = std::map<std::string, double>;

/** Each of these translates a Force if it is of the kind it knows, and says whether it did. They throw
 * UntranslatableForce for options of it that have no translation. */
bool translateBonded(const OpenMM::Force& force, PotentialModelBuilder& builder);
bool translateNonbonded(const OpenMM::Force& force, const Parameters& parameters,
                        PotentialModelBuilder& builder);
bool translateGeneralizedBorn(const OpenMM::Force& force, PotentialModelBuilder& builder);
bool translateCustomBonded(const OpenMM::Force& force, const Parameters& parameters,
                           PotentialModelBuilder& builder);
bool translateCustomNonbonded(const OpenMM::Force& force, const Parameters& parameters,
                              PotentialModelBuilder& builder);
bool translateCustomBorn(const OpenMM::Force& force, const Parameters& parameters,
                         PotentialModelBuilder& builder);
/** Translate the virtual sites of a System. Throws UntranslatableForce for kinds that have no translation. */
void translateVirtualSites(const OpenMM::System& system, PotentialModelBuilder& builder);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TRANSLATIONS_H_*/
