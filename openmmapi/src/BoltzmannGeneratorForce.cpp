#include "openmmflow/BoltzmannGeneratorForce.h"

#include "Temperature.h"
#include "openmmflow/internal/BoltzmannGeneratorForceImpl.h"

namespace OpenMMFlow {

BoltzmannGeneratorForce::BoltzmannGeneratorForce(const Flow& flow, const std::vector<int>& particles,
                                                 double temperature)
    : flow(flow), particles(particles), temperature(checkTemperature(temperature)) {
    setName("BoltzmannGeneratorForce");
}

OpenMM::ForceImpl* BoltzmannGeneratorForce::createImpl() const {
    return new BoltzmannGeneratorForceImpl(*this);
}

}  // namespace OpenMMFlow
