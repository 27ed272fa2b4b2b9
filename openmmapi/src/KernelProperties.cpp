#include "openmmflow/internal/KernelProperties.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <thread>

#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

static string join(const vector<string>& words) {
    string text;
    for (const string& word : words)
        text += (text.empty() ? "" : ", ") + word;
    return text;
}

map<string, string> completeProperties(const string& platform, const map<string, string>& given,
                                       const map<string, string>& defaults) {
    map<string, string> properties = defaults;
    for (const auto& [name, value] : given) {
        if (defaults.count(name) == 0) {
            vector<string> known;
            for (const auto& property : defaults)
                known.push_back(property.first);
            throw OpenMMException("The kernels of the " + platform + " platform have no property \"" + name
                                  + "\"; they know " + join(known) + ".");
        }
        properties[name] = value;
    }
    return properties;
}

string getPrecision(const map<string, string>& properties, const vector<string>& allowed) {
    const string& precision = properties.at("Precision");
    if (find(allowed.begin(), allowed.end(), precision) == allowed.end())
        throw OpenMMException("The property Precision must be one of " + join(allowed) + ", not \""
                              + precision + "\".");
    return precision;
}

Platform* findCpuPlatform() {
    for (int i = 0; i < Platform::getNumPlatforms(); i++)
        if (Platform::getPlatform(i).getName() == "CPU")
            return &Platform::getPlatform(i);
    return nullptr;
}

string getDefaultThreads() {
    const Platform* cpu = findCpuPlatform();
    // OpenMM takes a number that is none, such as 0, for all processors.
    const int threads = cpu == nullptr ? 0 : atoi(cpu->getPropertyDefaultValue("Threads").c_str());
    return to_string(threads > 0 ? threads : max(1, (int)thread::hardware_concurrency()));
}

int getThreads(const map<string, string>& properties) {
    const auto given = properties.find("Threads");
    const string text = given == properties.end() ? getDefaultThreads() : given->second;
    const char* end = text.data() + text.size();
    int threads = 0;
    auto [stop, error] = from_chars(text.data(), end, threads);
    if (error != errc() || stop != end || threads < 1 || threads > 1024)
        throw OpenMMException("The property Threads must be a whole number from 1 to 1024, not \"" + text
                              + "\".");
    return threads;
}

map<string, string> without(map<string, string> properties, const string& name) {
    properties.erase(name);
    return properties;
}

bool knows(const Platform& platform, const string& property) {
    const vector<string>& names = platform.getPropertyNames();
    return find(names.begin(), names.end(), property) != names.end();
}

}  // namespace OpenMMFlow
