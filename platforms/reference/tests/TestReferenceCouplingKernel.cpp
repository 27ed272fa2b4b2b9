#include "CouplingKernelTests.h"

vector<tests::PlatformUnderTest> getPlatformsUnderTest() {
    return {{"Reference", {}}};
}
