#ifndef OPENMMFLOW_TESTS_FLOWKERNELFIXTURE_H_
#define OPENMMFLOW_TESTS_FLOWKERNELFIXTURE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "openmmflow/FlowContext.h"

namespace OpenMMFlow::tests {

struct PlatformUnderTest {
    std::string platform;
    std::map<std::string, std::string> properties;
};

inline std::string describe(const PlatformUnderTest& platform) {
    std::string name = platform.platform;
    for (const auto& [property, value] : platform.properties)
        name += "_" + property + "_" + value;
    return name;
}

inline std::ostream& operator<<(std::ostream& out, const PlatformUnderTest& platform) {
    return out << describe(platform);
}

inline double findMedian(std::vector<double> x) {
    std::nth_element(x.begin(), x.begin() + x.size() / 2, x.end());
    return x[x.size() / 2];
}

inline double findQuantile(std::vector<double> x, double fraction) {
    std::sort(x.begin(), x.end());
    return x[std::min(x.size() - 1, (size_t)(fraction * x.size()))];
}

/** A platform, and the bounds that the design states for double and single precision. */
class FlowKernelFixture {
public:
    explicit FlowKernelFixture(const PlatformUnderTest& platform) : platform(platform) {}
    std::unique_ptr<FlowContext> makeContext(const Flow& flow) const {
        return std::make_unique<FlowContext>(flow, OpenMM::Platform::getPlatformByName(platform.platform),
                                             platform.properties);
    }
    std::unique_ptr<FlowContext> makeTruth(const Flow& flow) const {
        return std::make_unique<FlowContext>(flow, OpenMM::Platform::getPlatformByName("Reference"));
    }
    bool isDouble() const {
        auto precision = platform.properties.find("Precision");
        return platform.platform == "Reference"
               || (precision != platform.properties.end() && precision->second == "double");
    }
    double positionTolerance() const { return isDouble() ? 1e-9 : 1e-4; }
    double logTolerance() const { return isDouble() ? 1e-8 : 5e-3; }

private:
    PlatformUnderTest platform;
};

}  // namespace OpenMMFlow::tests

#endif /*OPENMMFLOW_TESTS_FLOWKERNELFIXTURE_H_*/
