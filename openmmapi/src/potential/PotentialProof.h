#ifndef OPENMMFLOW_POTENTIALPROOF_H_
#define OPENMMFLOW_POTENTIALPROOF_H_

#include <map>
#include <string>

#include "openmm/System.h"
#include "openmmflow/FlowKernels.h"

namespace OpenMMFlow {

/**
 * Compare the translation of a System with OpenMM's Reference platform, Force by Force, and what a kernel
 * makes of it, on random configurations that have its bonds.
 *
 * @param system       the System
 * @param parameters   the global parameters of its Forces
 * @param model        the translation of the whole System
 * @param kernel       a kernel, which is left initialized with something else
 * @param properties   what it is initialized with
 * @param tolerance    how far the kernel's energies and forces may be off, relative to the size of their
 * terms
 * @return empty, or what differs: a phrase that names the Force
 */
std::string disprovePotential(const OpenMM::System& system, const std::map<std::string, double>& parameters,
                              const PotentialModel& model, BatchedPotentialKernel& kernel,
                              const std::map<std::string, std::string>& properties, double tolerance);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_POTENTIALPROOF_H_*/
