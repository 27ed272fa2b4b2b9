#include "CpuPlatforms.h"
#include "FlowKernelTests.h"

vector<tests::PlatformUnderTest> getPlatformsUnderTest() {
    return getCpuPlatforms();
}
