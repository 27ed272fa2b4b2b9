#include "ForceProxies.h"

#include <memory>
#include <typeinfo>

#include "FlowNode.h"
#include "openmm/OpenMMException.h"
#include "openmm/serialization/SerializationNode.h"
#include "openmmflow/BoltzmannGeneratorForce.h"
#include "openmmflow/MonteCarloFlowMove.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

/** Raise it with every change of what is written, and read the old ones on. */
const int FORCE_VERSION = 1;

void writeCommon(const Force& force, const Flow& flow, const vector<int>& particles,
                 SerializationNode& node) {
    node.setIntProperty("version", FORCE_VERSION);
    node.setIntProperty("forceGroup", force.getForceGroup());
    node.setStringProperty("name", force.getName());
    SerializationNode& list = node.createChildNode("Particles");
    for (int particle : particles)
        list.createChildNode("Particle").setIntProperty("index", particle);
    addFlowNode(node, flow);
}

void checkVersion(const SerializationNode& node) {
    const int version = node.getIntProperty("version");
    if (version < 1)
        throw OpenMMException("The version " + to_string(version) + " of a " + node.getStringProperty("type")
                              + " in XML makes no sense.");
    if (version > FORCE_VERSION)
        throw OpenMMException("The XML has version " + to_string(version) + " of a "
                              + node.getStringProperty("type") + ", and this openmm-flow reads up to "
                              + to_string(FORCE_VERSION) + ": install a newer one.");
}

vector<int> readParticles(const SerializationNode& node) {
    vector<int> particles;
    for (const SerializationNode& particle : node.getChildNode("Particles").getChildren())
        particles.push_back(particle.getIntProperty("index"));
    return particles;
}

void readCommon(const SerializationNode& node, Force& force) {
    force.setForceGroup(node.getIntProperty("forceGroup"));
    force.setName(node.getStringProperty("name"));
}

/** Libraries that link this one get the proxies with it, as a System that is read needs them. */
[[maybe_unused]] const bool registered = [] {
    static const BoltzmannGeneratorForceProxy forceProxy;
    static const MonteCarloFlowMoveProxy moveProxy;
    SerializationProxy::registerProxy(typeid(BoltzmannGeneratorForce), &forceProxy);
    SerializationProxy::registerProxy(typeid(MonteCarloFlowMove), &moveProxy);
    return true;
}();

}  // namespace

void BoltzmannGeneratorForceProxy::serialize(const void* object, SerializationNode& node) const {
    const auto& force = *reinterpret_cast<const BoltzmannGeneratorForce*>(object);
    writeCommon(force, force.getFlow(), force.getParticles(), node);
    node.setDoubleProperty("temperature", force.getTemperature());
    node.setStringProperty("scaleParameterName", force.getScaleParameterName());
    node.setDoubleProperty("defaultScale", force.getDefaultScale());
}

void* BoltzmannGeneratorForceProxy::deserialize(const SerializationNode& node) const {
    checkVersion(node);
    auto force = make_unique<BoltzmannGeneratorForce>(readFlowNode(node), readParticles(node),
                                                      node.getDoubleProperty("temperature"));
    readCommon(node, *force);
    force->setScaleParameterName(node.getStringProperty("scaleParameterName"));
    force->setDefaultScale(node.getDoubleProperty("defaultScale"));
    return force.release();
}

void MonteCarloFlowMoveProxy::serialize(const void* object, SerializationNode& node) const {
    const auto& move = *reinterpret_cast<const MonteCarloFlowMove*>(object);
    writeCommon(move, move.getFlow(), move.getParticles(), node);
    node.setDoubleProperty("defaultTemperature", move.getDefaultTemperature());
    node.setIntProperty("frequency", move.getFrequency());
    node.setIntProperty("numProposals", move.getNumProposals());
    node.setIntProperty("randomSeed", move.getRandomNumberSeed());
    node.setBoolProperty("requiresMatchingTemperature", move.getRequiresMatchingTemperature());
}

void* MonteCarloFlowMoveProxy::deserialize(const SerializationNode& node) const {
    checkVersion(node);
    auto move =
        make_unique<MonteCarloFlowMove>(readFlowNode(node), node.getDoubleProperty("defaultTemperature"),
                                        node.getIntProperty("frequency"), readParticles(node));
    readCommon(node, *move);
    move->setNumProposals(node.getIntProperty("numProposals"));
    move->setRandomNumberSeed(node.getIntProperty("randomSeed"));
    move->setRequiresMatchingTemperature(node.getBoolProperty("requiresMatchingTemperature"));
    return move.release();
}

}  // namespace OpenMMFlow
