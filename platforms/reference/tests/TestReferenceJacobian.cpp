// log q of the Reference platform against the numerical Jacobian of the flow as a map: from the base (z,
// orientation) to the zero-centre subspace in an orthonormal basis. It knows nothing of the formulas for
// log-determinants.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "../src/ReferenceInternalFlow.h"
#include "Determinant.h"
#include "RandomFlow.h"

using namespace OpenMMFlow;
using namespace std;

namespace {

/** Check samples 0 ... count-1, and that at least half of them could be. */
void expectDensityOfTheMap(const Flow& flow, int count, double tolerance) {
    const int numParticles = flow.getNumParticles();
    const ReferenceInternalFlow map(flow);
    const array<double, 4> orientation = {0.4, -0.3, 0.8, 0.1};
    double length = 0;
    for (double q : orientation)
        length += q * q;
    length = sqrt(length);
    int checked = 0;
    double smallest = INFINITY, largest = -INFINITY;
    for (int sample = 0; sample < count; sample++) {
        const vector<double> z = map.drawBase(1, sample);
        // The last three arguments rotate the result by a small angle about each axis: on SO(3) with volume 8
        // pi^2 they are Cartesian at the identity.
        auto transform = [&](int argument, double step) {
            vector<double> moved = z, positions(3 * numParticles);
            double turn[4] = {1, 0, 0, 0};
            if (argument < (int)z.size())
                moved[argument] += step;
            else {
                turn[0] = cos(step / 2);
                turn[1 + argument - z.size()] = sin(step / 2);
            }
            map.transform(moved, orientation, positions.data());
            for (int i = 0; i < numParticles; i++) {
                const shared::real3 r =
                    shared::rotateVector(turn[0], turn[1], turn[2], turn[3],
                                         {positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]});
                positions[3 * i] = r.x;
                positions[3 * i + 1] = r.y;
                positions[3 * i + 2] = r.z;
            }
            return toSubspace(positions);
        };
        const int dimension = 3 * numParticles - 3;
        // Two steps: where they disagree, a step straddles a knot, and the derivative is not defined at this
        // precision.
        double numeric[2];
        for (int which = 0; which < 2; which++) {
            const double h = which == 0 ? 1e-6 : 3e-7;
            vector<vector<double>> jacobian(dimension);
            for (int j = 0; j < dimension; j++) {
                const vector<double> up = transform(j, h), down = transform(j, -h);
                for (int i = 0; i < dimension; i++)
                    jacobian[j].push_back((up[i] - down[i]) / (2 * h));
            }
            numeric[which] =
                map.computeBaseLogDensity(z) - log(8 * M_PI * M_PI) - logAbsoluteDeterminant(jacobian);
        }
        vector<double> positions(3 * numParticles);
        const double logQ = map.transform(z, orientation, positions.data());
        if (isinf(logQ) || fabs(numeric[0] - numeric[1]) > tolerance)
            continue;
        EXPECT_NEAR(logQ, numeric[1], tolerance);
        EXPECT_NEAR(map.computeLogDensity(positions.data(), nullptr), numeric[1], tolerance);
        smallest = min(smallest, logQ - map.computeBaseLogDensity(z));
        largest = max(largest, logQ - map.computeBaseLogDensity(z));
        checked++;
    }
    EXPECT_GE(checked, count / 2);
    EXPECT_GT(largest - smallest, 1.0) << "the log-determinants must differ for the test to mean anything";
}

class Jacobian : public testing::TestWithParam<int> {};

TEST_P(Jacobian, LogDensityIsThatOfTheMap) {
    const int numParticles = GetParam();
    expectDensityOfTheMap(
        makeRandomFlow(numParticles, InternalFlowModel::Activation::SiLU, 40 + numParticles), 40, 1e-5);
}

TEST(TrainedJacobian, LogDensityOfTheShippedFlowIsThatOfTheMap) {
    const std::string examples = std::string(std::getenv("OPENMMFLOW_SOURCE_DIR")) + "/examples/";
    expectDensityOfTheMap(Flow::load(examples + "alanine-dipeptide/vacuum/flow.safetensors"), 12, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Sizes, Jacobian, testing::Values(3, 4, 5, 7));

}  // namespace
