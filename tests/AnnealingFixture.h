#ifndef OPENMMFLOW_TESTS_ANNEALINGFIXTURE_H_
#define OPENMMFLOW_TESTS_ANNEALINGFIXTURE_H_

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "SeparablePeroxide.h"
#include "openmm/Platform.h"
#include "openmmflow/FlowSampler.h"

/** What the tests of annealing share: a target, and a flow that is good or bad for it. */
namespace OpenMMFlow::tests {

/** How many times wider than the good flow the bad one is. */
const double BAD = 2;

inline std::unique_ptr<FlowSampler> makeSampler(const OpenMM::System& system, double scale = 1,
                                                const std::string& precision = "double",
                                                const std::string& threads = "1") {
    return std::make_unique<FlowSampler>(
        system, peroxide::makeFlow(0.04, scale), peroxide::temperature,
        OpenMM::Platform::getPlatformByName("CPU"),
        std::map<std::string, std::string>{{"Precision", precision}, {"Threads", threads}});
}

/** Options for a flow whose spread is doubled. */
inline AnnealingOptions makeOptions() {
    AnnealingOptions options;
    options.conditionalEss = 0.9;
    options.leapfrogSteps = 3;
    options.pilotSize = 500;
    return options;
}

inline double measureLength(const std::vector<double>& positions, long long k) {
    const OpenMM::Vec3 bond = peroxide::atom(positions, k, 2) - peroxide::atom(positions, k, 1);
    return std::sqrt(bond.dot(bond));
}

inline std::vector<double> measure(
    const WeightedEnsemble& ensemble,
    const std::function<double(const std::vector<double>&, long long)>& quantity) {
    std::vector<double> values;
    for (long long k = 0; k < ensemble.getNumSamples(); k++)
        values.push_back(quantity(ensemble.getPositions(), k));
    return values;
}

class Annealing : public testing::Test {
protected:
    std::unique_ptr<OpenMM::System> system = peroxide::makeSystem();
    std::unique_ptr<FlowSampler> sampler = makeSampler(*system, BAD);
};

}  // namespace OpenMMFlow::tests

#endif /*OPENMMFLOW_TESTS_ANNEALINGFIXTURE_H_*/
