#include "TargetLadder.h"

#include "MassTransportLadder.h"
#include "TemperatureLadder.h"

using namespace OpenMMFlow;

std::unique_ptr<TargetLadder> TargetLadder::create(const FlowTrainerOptions& options, double temperature) {
    if (options.objective == "mass-transport")
        return std::make_unique<MassTransportLadder>(options, temperature);
    return std::make_unique<TemperatureLadder>(options, temperature);
}
