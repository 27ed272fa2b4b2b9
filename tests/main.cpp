#include <gtest/gtest.h>

#include <cstdlib>

#include "openmm/Platform.h"

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    for (const char* variable : {"OPENMM_PLUGIN_DIR", "OPENMMFLOW_PLUGIN_DIR"})
        if (const char* directory = std::getenv(variable))
            OpenMM::Platform::loadPluginsFromDirectory(directory);
    return RUN_ALL_TESTS();
}
