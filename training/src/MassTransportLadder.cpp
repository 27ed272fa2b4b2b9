#include "MassTransportLadder.h"

#include "ConstrainedTransport.h"
#include "openmm/reference/SimTKOpenMMRealType.h"

using namespace OpenMMFlow;

MassTransportLadder::MassTransportLadder(const FlowTrainerOptions& options, double temperature)
    : temperature(temperature),
      schedule(options, temperature),
      trustRegion(options.trustRegion),
      entropyDecay(options.entropyDecay) {}

double MassTransportLadder::getTemperature(int64_t step) const {
    return schedule.getTemperature(step < schedule.countPretrainingSteps() ? 0 : 1);
}

IntermediateTarget MassTransportLadder::choose(const SampleBuffer& buffer) const {
    std::vector<double> logP;
    for (double energy : buffer.energies)
        logP.push_back(-energy / (BOLTZ * temperature));
    return ConstrainedTransport(buffer.logQ, logP).solve(trustRegion, entropyDecay);
}
