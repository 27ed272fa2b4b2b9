#ifndef OPENMMFLOW_BASE64_H_
#define OPENMMFLOW_BASE64_H_

#include <string>

namespace OpenMMFlow {

/** Write bytes in Base64 (RFC 4648, section 4), so that XML can carry them. */
std::string encodeBase64(const std::string& bytes);
/**
 * Read what encodeBase64() wrote.
 *
 * @throws OpenMM::OpenMMException if the text is anything else
 */
std::string decodeBase64(const std::string& text);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_BASE64_H_*/
