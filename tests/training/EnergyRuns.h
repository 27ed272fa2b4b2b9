#ifndef OPENMMFLOW_TESTS_ENERGYRUNS_H_
#define OPENMMFLOW_TESTS_ENERGYRUNS_H_

#include <memory>

#include "TrainingRuns.h"
#include "openmm/System.h"
#include "openmmflow/BoltzmannGeneratorForce.h"
#include "openmmflow/FlowSampler.h"

/** Training from the energy alone, on a target whose density is known: that of another flow, as a Force. */
namespace OpenMMFlow::tests {

constexpr double temperature = 300;

/** A System whose Boltzmann distribution is the truth, so that Z is 1. */
inline std::unique_ptr<OpenMM::System> makeTarget() {
    auto system = std::make_unique<OpenMM::System>();
    for (int i = 0; i < N; i++)
        system->addParticle(12);
    system->addForce(new BoltzmannGeneratorForce(getTruth(), {0, 1, 2, 3}, temperature));
    return system;
}

inline FlowTrainerOptions makeEnergyOptions() {
    FlowTrainerOptions options = makeShortOptions();
    options.initialTemperature = 600;
    options.targetSamples = 500;
    options.learningRate = 3e-3;
    return options;
}

inline WeightedEnsemble sample(const Flow& flow) {
    return FlowSampler(*makeTarget(), flow, temperature).sample(4000, 99);
}

}  // namespace OpenMMFlow::tests

#endif /*OPENMMFLOW_TESTS_ENERGYRUNS_H_*/
