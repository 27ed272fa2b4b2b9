// Thermodynamic integration from the flow to the force field, with OpenMM's own means: U = (1-lambda) U_flow
// + lambda U_force_field. The flow is normalised, so that the difference of the free energies is -kT log Z.

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "FlowMoveChain.h"
#include "openmmflow/BoltzmannGeneratorForce.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace OpenMMFlow::tests::peroxide;

namespace {

/** Langevin dynamics (splitting of LangevinMiddleIntegrator) with the forces of group 0 scaled by lambda. */
std::unique_ptr<CustomIntegrator> makeIntegrator(double dt, double friction) {
    auto integrator = std::make_unique<CustomIntegrator>(dt);
    integrator->addGlobalVariable("lambda", 0);
    integrator->addGlobalVariable("a", std::exp(-friction * dt));
    integrator->addGlobalVariable("kT", kT);
    integrator->setKineticEnergyExpression("m*v*v/2");
    integrator->addUpdateContextState();
    integrator->addComputePerDof("v", "v + dt*lambda*f0/m");
    integrator->addComputePerDof("v", "v + dt*f1/m");
    integrator->addComputePerDof("x", "x + 0.5*dt*v");
    integrator->addComputePerDof("v", "a*v + sqrt((1-a*a)*kT/m)*gaussian");
    integrator->addComputePerDof("x", "x + 0.5*dt*v");
    integrator->setRandomNumberSeed(7);
    return integrator;
}

class FlowFreeEnergy : public testing::TestWithParam<const char*> {};

TEST_P(FlowFreeEnergy, IsThatOfTheForceField) {
    // Narrow enough that the middle bond never comes near zero, where the density of a flow in positions has
    // a pole.
    const Flow flow = makeFlow(0.02, 0.6);
    auto system = makeSystem();
    for (int i = 0; i < 4; i++)
        system->setParticleMass(i, 20);
    auto* force = new BoltzmannGeneratorForce(flow, {0, 1, 2, 3}, temperature);
    force->setForceGroup(1);
    system->addForce(force);
    auto integrator = makeIntegrator(0.002, 2);
    Context context(*system, *integrator, Platform::getPlatformByName(GetParam()));
    context.setPositions(getSample(flow, 0));
    context.setVelocitiesToTemperature(temperature, 1);
    // Gauss and Legendre, on [0, 1].
    const std::vector<double> nodes = {0.0694318442029737, 0.3300094782075719, 0.6699905217924281,
                                       0.9305681557970263};
    const std::vector<double> weights = {0.1739274225687269, 0.3260725774312731, 0.3260725774312731,
                                         0.1739274225687269};
    double difference = 0, variance = 0;
    for (size_t i = 0; i < nodes.size(); i++) {
        integrator->setGlobalVariableByName("lambda", nodes[i]);
        context.setParameter(BoltzmannGeneratorForce::Scale(), 1 - nodes[i]);
        integrator->step(1000);
        Series slopes;
        for (int k = 0; k < 3000; k++) {
            integrator->step(6);
            const double forceField = context.getState(State::Energy, false, 1 << 0).getPotentialEnergy();
            const double flowEnergy = context.getState(State::ParameterDerivatives, false, 1 << 1)
                                          .getEnergyParameterDerivatives()
                                          .at(BoltzmannGeneratorForce::Scale());
            slopes.add(forceField - flowEnergy);
        }
        difference += weights[i] * slopes.getMean();
        variance += std::pow(weights[i] * slopes.getError(), 2);
    }
    const double error = std::sqrt(variance) / kT;
    EXPECT_LT(error, 0.1);
    EXPECT_NEAR(difference / kT, -exactLogZ(0.5), 3 * error) << "+- " << error;
}

INSTANTIATE_TEST_SUITE_P(Platforms, FlowFreeEnergy, testing::Values("Reference"));

}  // namespace
