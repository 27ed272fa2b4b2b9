#include "FlowKernelTests.h"

vector<tests::PlatformUnderTest> getPlatformsUnderTest() {
    return {{"Reference", {}}};
}
