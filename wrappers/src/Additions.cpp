#include "Additions.h"

#include <dlfcn.h>

#include <filesystem>

#include "openmm/OpenMMException.h"
#include "openmm/Platform.h"
#include "openmmflow/Flow.h"
#include "openmmflow/FlowKernels.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {
namespace {

/** The folder that libOpenMMFlow was loaded from: its plugins are in the folder "plugins" there. */
filesystem::path getLibraryFolder() {
    Dl_info info;
    // A function that only that library can have.
    void (Flow::*method)(const string&) const = &Flow::save;
    if (dladdr(*reinterpret_cast<void**>(&method), &info) == 0)
        return {};
    return filesystem::path(info.dli_fname).parent_path();
}

}  // namespace

const double* DoubleArray::getData(const vector<double>& array, long long& size) {
    size = static_cast<long long>(array.size());
    return array.data();
}

map<string, string> PropertyArray::create() {
    return {};
}

void PropertyArray::destroy(map<string, string>* array) {
    delete array;
}

void PropertyArray::set(map<string, string>& array, const string& name, const string& value) {
    array[name] = value;
}

const string& PropertyArray::get(const map<string, string>& array, const string& name) {
    auto property = array.find(name);
    if (property == array.end())
        throw OpenMMException("There is no property \"" + name + "\".");
    return property->second;
}

vector<string> Plugins::load() {
    Platform::loadPluginsFromDirectory(Platform::getDefaultPluginsDirectory());
    vector<string> failures = Platform::getPluginLoadFailures();
    if (!Platform::getPlatformByName("Reference").supportsKernels({FlowKernel::Name()})) {
        Platform::loadPluginsFromDirectory((getLibraryFolder() / "plugins").string());
        for (const string& failure : Platform::getPluginLoadFailures())
            failures.push_back(failure);
    }
    return failures;
}

}  // namespace OpenMMFlow
