#include "MassTransportLadder.h"

#include "ConstrainedTransport.h"
#include "openmm/reference/SimTKOpenMMRealType.h"

using namespace OpenMMFlow;

MassTransportLadder::MassTransportLadder(const FlowTrainerOptions& options, double temperature)
    : temperature(temperature),
      schedule(options, temperature),
      trustRegion(options.trustRegion),
      entropyDecay(options.entropyDecay) {}

double MassTransportLadder::getTemperature(double position) const {
    return schedule.getTemperature(position < schedule.countPretrainingSteps() ? 0 : 1);
}

IntermediateTarget MassTransportLadder::choose(const SampleBuffer& buffer, double) const {
    std::vector<double> logP;
    for (double energy : buffer.energies)
        logP.push_back(-energy / (BOLTZ * temperature));
    return ConstrainedTransport(buffer.logQ, logP).solve(trustRegion, entropyDecay);
}
