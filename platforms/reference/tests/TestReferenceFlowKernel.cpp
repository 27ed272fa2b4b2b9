#include "FlowKernelTests.h"

vector<PlatformUnderTest> getPlatformsUnderTest() {
    return {{"Reference", {}}};
}
