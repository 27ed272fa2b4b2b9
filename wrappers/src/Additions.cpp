#include "Additions.h"

#include "openmm/OpenMMException.h"
#include "openmm/Platform.h"
#include "openmmflow/FlowKernels.h"
#include "openmmflow/internal/LibraryFolder.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

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
        Platform::loadPluginsFromDirectory(getLibraryFolder() + "/plugins");
        for (const string& failure : Platform::getPluginLoadFailures())
            failures.push_back(failure);
    }
    return failures;
}

}  // namespace OpenMMFlow
