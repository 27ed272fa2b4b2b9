#ifndef OPENMMFLOW_FLOWNODE_H_
#define OPENMMFLOW_FLOWNODE_H_

#include "openmm/serialization/SerializationNode.h"
#include "openmmflow/Flow.h"

namespace OpenMMFlow {

/**
 * Add a child "Flow" to a node: the bytes of the flow's file, compressed with zlib, in Base64. Each Force has
 * a copy of its own.
 */
void addFlowNode(OpenMM::SerializationNode& parent, const Flow& flow);
/**
 * Get the Flow that addFlowNode() added.
 *
 * @throws OpenMM::OpenMMException if it is damaged
 */
Flow readFlowNode(const OpenMM::SerializationNode& parent);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FLOWNODE_H_*/
