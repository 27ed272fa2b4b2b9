#ifndef OPENMMFLOW_CONFIGURATIONREADER_H_
#define OPENMMFLOW_CONFIGURATIONREADER_H_

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "openmmflow/internal/TensorFile.h"

namespace OpenMMFlow {

/**
 * The entries of the configuration of a flow in a file; each is required unless it is read with what its
 * absence means, and there are no others. What is wrong is an OpenMMException that names the entry.
 */
class ConfigurationReader {
public:
    explicit ConfigurationReader(const TensorFile& file);
    int getInteger(const char* key);
    double getReal(const char* key);
    bool getBoolean(const char* key);
    int getInteger(const char* key, int absent);
    bool getBoolean(const char* key, bool absent);
    /** Get which of these names an entry is. */
    int getChoice(const char* key, const std::vector<std::string>& names);
    std::vector<std::string> getStrings(const char* key);
    void requireAllRead() const;

private:
    const nlohmann::json& get(const char* key);
    [[noreturn]] void failEntry(const char* key, const std::string& reason) const;
    const TensorFile& file;
    const nlohmann::json entries;
    std::set<std::string> used;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CONFIGURATIONREADER_H_*/
