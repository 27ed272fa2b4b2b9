// Energies that differ from OpenMM's are found, and those that do not matter are let through.

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../openmmapi/src/AnnealingPath.h"
#include "../openmmapi/src/EnergyVerifier.h"
#include "ExpectError.h"
#include "SeparablePeroxide.h"
#include "openmm/CustomBondForce.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace OpenMMFlow::tests;
using namespace OpenMMFlow::tests::peroxide;

namespace {

class Verification : public testing::Test {
protected:
    std::unique_ptr<System> system = makeSystem();
    BatchedPotential potential{*system, {{"Threads", "1"}}};
    std::vector<double> positions = makeData(), energies = potential.computeEnergies(positions);
};

TEST_F(Verification, FindsEveryWrongEnergy) {
    EnergyVerifier verifier(*system, potential, temperature, 1);
    EXPECT_TRUE(verifier.isActive());
    verifier.verify(positions, energies);
    for (size_t k : {(size_t)0, energies.size() - 1}) {
        std::vector<double> wrong = energies;
        wrong[k] += 0.06 * kT + 1e-5 * (energies[k] - *std::min_element(energies.begin(), energies.end()));
        expectError([&] { verifier.verify(positions, wrong); }, "OpenMM gives");
        wrong[k] = std::numeric_limits<double>::quiet_NaN();
        expectError([&] { verifier.verify(positions, wrong); }, "OpenMM gives");
    }
    // All in one place but for one bond, which is longer than any: it does not matter by how much.
    std::vector<double> hopeless(12, 0.0);
    hopeless[3] = 100;
    verifier.verify(hopeless, {1e9});
    verifier.verify(hopeless, {std::numeric_limits<double>::infinity()});
}

TEST_F(Verification, ItDoesNotMatterWhereZeroIs) {
    for (double offset : {-1e8, 1e8}) {
        auto* constant = new CustomBondForce(std::to_string(offset));
        constant->addBond(0, 1);
        const std::unique_ptr<System> shifted = makeSystem();
        shifted->addForce(constant);
        BatchedPotential shiftedPotential(*shifted, {{"Threads", "1"}});
        EnergyVerifier verifier(*shifted, shiftedPotential, temperature, 1);
        std::vector<double> wrong = shiftedPotential.computeEnergies(positions);
        verifier.verify(positions, wrong);
        wrong[1] += 0.1 * kT + 1e-5 * (energies[1] - *std::min_element(energies.begin(), energies.end()));
        expectError([&] { verifier.verify(positions, wrong); }, "OpenMM gives");
    }
}

TEST_F(Verification, ComparesTheFractionThatWasAskedFor) {
    const int every = 4;
    EnergyVerifier verifier(*system, potential, temperature, 1.0 / every);
    int found = 0;
    for (int k = 0; k < 10 * every; k++) {
        try {
            verifier.verify({&positions[12 * k], &positions[12 * k] + 12}, {energies[k] + 1});
        } catch (const OpenMMException&) {
            found++;
        }
    }
    EXPECT_EQ(found, 10);
    EnergyVerifier none(*system, potential, temperature, 0);
    EXPECT_FALSE(none.isActive());
    none.verify(positions, std::vector<double>(energies.size(), 0.0));
    expectError([&] { EnergyVerifier(*system, potential, temperature, 1.5); }, "between 0 and 1, not 1.5");
    const BatchedPotential contexts(*system, {{"Threads", "1"}, {"Implementation", "contexts"}});
    EXPECT_FALSE(EnergyVerifier(*system, contexts, temperature, 1).isActive());
}

TEST_F(Verification, WatchesAnnealing) {
    FlowContext flow(makeFlow(), {{"Threads", "1"}});
    EnergyVerifier right(*system, potential, temperature, 1);
    AnnealingPath(flow, potential, temperature, &right).draw(100, 0, 0);
    system->removeForce(0);
    EnergyVerifier wrong(*system, potential, temperature, 1);
    AnnealingPath path(flow, potential, temperature, &wrong);
    expectError([&] { path.draw(100, 0, 0); }, "OpenMM gives");
}

}  // namespace
