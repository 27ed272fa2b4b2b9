// Contexts with a flow move and a flow's Force in two threads: made and destroyed one after the other, used
// at the same time. Run under AddressSanitizer it finds leaks, under ThreadSanitizer races (make races).

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "FlowMoveChain.h"
#include "openmm/LangevinMiddleIntegrator.h"
#include "openmmflow/BoltzmannGeneratorForce.h"
#include "openmmflow/internal/ContextMutex.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;

namespace {

const int CONTEXTS = 1000;

/** Where a short simulation with moves ends. */
std::vector<Vec3> simulate(Platform& platform, const std::vector<Vec3>& start) {
    std::unique_lock lock(getContextMutex());
    auto system = peroxide::makeSystem();
    system->addForce(makeMove(2));
    auto* force = new BoltzmannGeneratorForce(peroxide::makeFlow(), {0, 1, 2, 3}, peroxide::temperature);
    force->setDefaultScale(0.1);
    system->addForce(force);
    LangevinMiddleIntegrator integrator(peroxide::temperature, 1, 0.0005);
    integrator.setRandomNumberSeed(6);
    auto context = std::make_unique<Context>(*system, integrator, platform);
    lock.unlock();

    context->setPositions(start);
    context->setVelocitiesToTemperature(peroxide::temperature, 2);
    integrator.step(6);
    const std::vector<Vec3> end = context->getState(State::Positions).getPositions();

    lock.lock();
    context.reset();
    return end;
}

TEST(ContextsInThreads, AreMadeAndDestroyedAThousandTimes) {
    const std::vector<Vec3> start = getSample(peroxide::makeFlow(), 0);
    auto repeat = [&](const std::string& name, double tolerance) {
        Platform& platform = Platform::getPlatformByName(name);
        const std::vector<Vec3> expected = simulate(platform, start);
        for (int k = 1; k < CONTEXTS; k++) {
            const std::vector<Vec3> end = simulate(platform, start);
            for (size_t i = 0; i < end.size(); i++)
                ASSERT_NEAR((end[i] - expected[i]).dot(end[i] - expected[i]), 0, tolerance * tolerance)
                    << name << ", Context " << k;
        }
    };
    std::thread reference(repeat, "Reference", 0), cpu(repeat, "CPU", 1e-4);
    reference.join();
    cpu.join();
}

}  // namespace
