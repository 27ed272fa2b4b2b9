#ifndef OPENMMFLOW_STRICTJSON_H_
#define OPENMMFLOW_STRICTJSON_H_

#include <nlohmann/json.hpp>
#include <string>

namespace OpenMMFlow {

/**
 * Parse a JSON object that comes from a file and may be anything. Unlike nlohmann::json::parse, this refuses
 * a key that stands twice in one object (of which the parser silently keeps the last), deep nesting, and so
 * many values that their tree would be much larger than the text.
 *
 * @param text      the JSON
 * @param maxDepth  how deep objects and arrays may be nested; 1 is an object of plain values
 * @param subject   the beginning of an error message, such as "Cannot read 'x': the header"
 * @throws OpenMM::OpenMMException if the text is anything else than such an object
 */
nlohmann::json parseStrictJson(const std::string& text, int maxDepth, const std::string& subject);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_STRICTJSON_H_*/
