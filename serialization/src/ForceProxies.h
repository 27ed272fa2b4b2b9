#ifndef OPENMMFLOW_FORCEPROXIES_H_
#define OPENMMFLOW_FORCEPROXIES_H_

#include "openmm/serialization/SerializationProxy.h"

namespace OpenMMFlow {

/** Writes and reads BoltzmannGeneratorForces for OpenMM's XmlSerializer. */
class BoltzmannGeneratorForceProxy : public OpenMM::SerializationProxy {
public:
    BoltzmannGeneratorForceProxy() : SerializationProxy("BoltzmannGeneratorForce") {}
    void serialize(const void* object, OpenMM::SerializationNode& node) const override;
    void* deserialize(const OpenMM::SerializationNode& node) const override;
};

/** Writes and reads MonteCarloFlowMoves for OpenMM's XmlSerializer. */
class MonteCarloFlowMoveProxy : public OpenMM::SerializationProxy {
public:
    MonteCarloFlowMoveProxy() : SerializationProxy("MonteCarloFlowMove") {}
    void serialize(const void* object, OpenMM::SerializationNode& node) const override;
    void* deserialize(const OpenMM::SerializationNode& node) const override;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FORCEPROXIES_H_*/
