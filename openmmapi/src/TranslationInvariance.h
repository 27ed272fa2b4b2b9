#ifndef OPENMMFLOW_TRANSLATIONINVARIANCE_H_
#define OPENMMFLOW_TRANSLATIONINVARIANCE_H_

#include "openmm/System.h"

namespace OpenMMFlow {

/**
 * Whether all Forces of a System are known to depend on relative positions only. False for those whose
 * expressions may contain coordinates (CustomExternalForce, CustomCompoundBondForce, ...) and for those that
 * OpenMM does not define.
 */
bool isTranslationInvariant(const OpenMM::System& system);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TRANSLATIONINVARIANCE_H_*/
