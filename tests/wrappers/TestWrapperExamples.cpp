// The C and the Fortran example print what the C++ API finds for the same samples.

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "openmm/System.h"
#include "openmm/serialization/XmlSerializer.h"
#include "openmmflow/FlowSampler.h"

using namespace OpenMM;
using namespace OpenMMFlow;
using namespace std;

namespace {

const long long count = 3000;
const string examples = string(getenv("OPENMMFLOW_SOURCE_DIR")) + "/examples/alanine-dipeptide/";

/** What a program prints, standard error included, and how it ends. */
pair<string, int> run(const string& command) {
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    string output;
    for (int character = fgetc(pipe); character != EOF; character = fgetc(pipe))
        output += (char)character;
    return {output, WEXITSTATUS(pclose(pipe))};
}

vector<double> numbersWithDecimals(const string& text) {
    const regex number(R"(-?\d*\.\d+)");
    vector<double> result;
    for (sregex_iterator match(text.begin(), text.end(), number), end; match != end; ++match)
        result.push_back(stod(match->str()));
    return result;
}

/** The torsion 4-6-8-14 by way of its arc tangent, unlike the examples. */
double computePhi(const double* positions) {
    auto at = [&](int i) { return Vec3(positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]); };
    Vec3 b1 = at(6) - at(4), b2 = at(8) - at(6), b3 = at(14) - at(8);
    Vec3 n1 = b1.cross(b2), n2 = b2.cross(b3);
    return atan2(sqrt(b2.dot(b2)) * b1.dot(n2), n1.dot(n2));
}

vector<double> computeExpected(const string& environment) {
    ifstream file(examples + environment + "/system.xml");
    unique_ptr<System> system(XmlSerializer::deserialize<System>(file));
    const Flow flow = Flow::load(examples + environment + "/flow.safetensors");
    const WeightedEnsemble ensemble = FlowSampler(*system, flow, 300).sample(count);
    vector<bool> isNegative, isPositive;
    for (long long k = 0; k < count; k++) {
        isPositive.push_back(computePhi(ensemble.getPositions().data() + 66 * k) > 0);
        isNegative.push_back(!isPositive.back());
    }
    const auto logZ = ensemble.getLogPartitionFunction();
    const auto difference = ensemble.computeFreeEnergyDifference(isNegative, isPositive);
    return {ensemble.getEffectiveSampleSize(),
            ensemble.getParetoK(),
            logZ.value,
            logZ.error,
            difference.value,
            difference.error};
}

class Example : public testing::TestWithParam<const char*> {};

TEST_P(Example, PrintsWhatTheCppApiFinds) {
    for (const char* environment : {"vacuum", "obc1"}) {
        const auto [output, status] =
            run(string(GetParam()) + " " + examples + environment + " " + to_string(count));
        ASSERT_EQ(status, 0) << output;
        const vector<double> expected = computeExpected(environment), found = numbersWithDecimals(output);
        ASSERT_EQ(found.size(), expected.size()) << output;
        for (size_t i = 0; i < expected.size(); i++)
            EXPECT_NEAR(found[i], expected[i], 1e-6) << output;
    }
}

TEST_P(Example, SaysWhatIsMissing) {
    const auto [output, status] = run(string(GetParam()) + " nowhere");
    EXPECT_EQ(status, 1);
    EXPECT_NE(output.find("nowhere/system.xml"), string::npos) << output;
}

INSTANTIATE_TEST_SUITE_P(Programs, Example, testing::Values(PROGRAMS));

}  // namespace
