#include "CouplingKernelTests.h"
#include "CpuPlatforms.h"

vector<tests::PlatformUnderTest> getPlatformsUnderTest() {
    return getCpuPlatforms();
}
