#include "StrictJson.h"

#include <set>
#include <vector>

#include "Quote.h"
#include "openmm/OpenMMException.h"

namespace OpenMMFlow {

using nlohmann::json;
using OpenMM::OpenMMException;

namespace {

const int maxValues = 1000000;

/** Sees every event of the parser before the tree grows by it. */
class Inspector {
public:
    Inspector(int maxDepth, const std::string& subject) : maxDepth(maxDepth), subject(subject) {}

    bool operator()(int, json::parse_event_t event, json& parsed) {
        if (++numEvents > maxValues)
            throw OpenMMException(subject + " holds more values than any file that openmm-flow writes.");
        if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
            keys.emplace_back();
            if ((int)keys.size() > maxDepth)
                throw OpenMMException(subject + " is nested too deeply.");
        } else if (event == json::parse_event_t::object_end || event == json::parse_event_t::array_end) {
            keys.pop_back();
        } else if (event == json::parse_event_t::key) {
            const std::string& key = parsed.get_ref<const std::string&>();
            if (!keys.back().insert(key).second)
                throw OpenMMException(subject + " has the key " + quote(key) + " twice.");
        }
        return true;
    }

private:
    int maxDepth;
    const std::string& subject;
    int numEvents = 0;
    std::vector<std::set<std::string>> keys;
};

}  // namespace

json parseStrictJson(const std::string& text, int maxDepth, const std::string& subject) {
    json result;
    try {
        result = json::parse(text, Inspector(maxDepth, subject));
    } catch (const json::parse_error& e) {
        throw OpenMMException(subject + " is not valid JSON (at byte " + std::to_string(e.byte) + ").");
    } catch (const json::exception&) {
        throw OpenMMException(subject + " is not valid JSON: it has a number that is too large.");
    }
    if (!result.is_object())
        throw OpenMMException(subject + " is not a JSON object.");
    return result;
}

}  // namespace OpenMMFlow
