#include "ConfigurationReader.h"

#include <algorithm>

#include "Quote.h"
#include "StrictJson.h"

namespace OpenMMFlow {

using nlohmann::json;
using std::string;
using std::vector;

ConfigurationReader::ConfigurationReader(const TensorFile& file)
    : file(file),
      entries(parseStrictJson(file.getMetadata("configuration"), 2,
                              "Cannot read " + file.getDescription() + ": its configuration")) {}

void ConfigurationReader::failEntry(const char* key, const string& reason) const {
    file.fail("the entry " + quote(key) + " of its configuration " + reason);
}

const json& ConfigurationReader::get(const char* key) {
    if (!entries.contains(key))
        file.fail("its configuration has no entry " + quote(key));
    used.insert(key);
    return entries[key];
}

int ConfigurationReader::getInteger(const char* key) {
    const json& entry = get(key);
    if (!entry.is_number_unsigned() || entry.get<uint64_t>() > 1000000)
        failEntry(key, "is not a natural number of reasonable size");
    return entry.get<int>();
}

double ConfigurationReader::getReal(const char* key) {
    const json& entry = get(key);
    if (!entry.is_number())
        failEntry(key, "is not a number");
    return entry.get<double>();
}

bool ConfigurationReader::getBoolean(const char* key) {
    const json& entry = get(key);
    if (!entry.is_boolean())
        failEntry(key, "is neither true nor false");
    return entry.get<bool>();
}

int ConfigurationReader::getInteger(const char* key, int absent) {
    return entries.contains(key) ? getInteger(key) : absent;
}

bool ConfigurationReader::getBoolean(const char* key, bool absent) {
    return entries.contains(key) ? getBoolean(key) : absent;
}

int ConfigurationReader::getChoice(const char* key, const vector<string>& names) {
    const json& entry = get(key);
    string choices;
    for (size_t i = 0; i < names.size(); i++) {
        if (entry == names[i])
            return (int)i;
        choices += (i == 0 ? "'" : i + 1 < names.size() ? ", '" : " or '") + names[i] + "'";
    }
    failEntry(key, "is not " + choices);
}

vector<string> ConfigurationReader::getStrings(const char* key) {
    const json& list = get(key);
    if (!list.is_array()
        || !std::all_of(list.begin(), list.end(), [](const json& e) { return e.is_string(); }))
        failEntry(key, "is not a list of strings");
    return list.get<vector<string>>();
}

void ConfigurationReader::requireAllRead() const {
    for (const auto& [key, entry] : entries.items())
        if (used.count(key) == 0)
            file.fail("its configuration has the unknown entry " + quote(key));
}

}  // namespace OpenMMFlow
