#ifndef OPENMMFLOW_FLOWPARTICLES_H_
#define OPENMMFLOW_FLOWPARTICLES_H_

#include <memory>
#include <string>
#include <vector>

#include "openmm/System.h"
#include "openmm/Vec3.h"
#include "openmmflow/Flow.h"
#include "openmmflow/FlowContext.h"

/** What the Forces that put a flow into a simulation share. */
namespace OpenMMFlow {

/**
 * Check that particles of a System can be those of a flow: as many, all in the System, and each once.
 *
 * @param isJoint   whether augmented particles are among them, after the others
 * @param name      the name of the Force, for messages
 */
void checkFlowParticles(const Flow& flow, const std::vector<int>& particles, const OpenMM::System& system,
                        bool isJoint, const std::string& name);

/** Get the positions of some particles, (count, 3) in nm. */
std::vector<double> gatherPositions(const std::vector<OpenMM::Vec3>& positions,
                                    const std::vector<int>& particles);

/** Say why a log q that is not finite is not, and what to do. */
std::string describeNoDensity(double logQ, const std::string& name);

/** Create a FlowContext in double precision on the fastest Platform, with so many threads if it has any. */
std::unique_ptr<FlowContext> createDoublePrecisionContext(const Flow& flow, const std::string& threads);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FLOWPARTICLES_H_*/
