#include "openmmflow/MonteCarloFlowMove.h"

#include "Temperature.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/internal/MonteCarloFlowMoveImpl.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

MonteCarloFlowMove::MonteCarloFlowMove(const Flow& flow, double defaultTemperature, int frequency,
                                       const vector<int>& particles)
    : flow(flow), particles(particles) {
    setName("MonteCarloFlowMove");
    setDefaultTemperature(defaultTemperature);
    setFrequency(frequency);
}

void MonteCarloFlowMove::setDefaultTemperature(double temperature) {
    defaultTemperature = checkTemperature(temperature);
}

void MonteCarloFlowMove::setFrequency(int frequency) {
    if (frequency < 0)
        throw OpenMMException("The frequency of flow moves is a number of steps, 0 for none, and cannot be "
                              + to_string(frequency) + ".");
    this->frequency = frequency;
}

void MonteCarloFlowMove::setNumProposals(int count) {
    if (count < 1)
        throw OpenMMException("A flow move needs at least one proposal, not " + to_string(count) + ".");
    numProposals = count;
}

const FlowMoveStatistics& MonteCarloFlowMove::getStatistics(Context& context) const {
    return dynamic_cast<MonteCarloFlowMoveImpl&>(getImplInContext(context)).getStatistics();
}

ForceImpl* MonteCarloFlowMove::createImpl() const {
    return new MonteCarloFlowMoveImpl(*this);
}

}  // namespace OpenMMFlow
