#ifndef OPENMMFLOW_FORMATNUMBER_H_
#define OPENMMFLOW_FORMATNUMBER_H_

#include <charconv>
#include <string>

namespace OpenMMFlow {

/** The shortest text that is read as this number again. */
inline std::string formatNumber(double value) {
    char text[32];
    return std::string(text, std::to_chars(text, text + sizeof(text), value).ptr);
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FORMATNUMBER_H_*/
