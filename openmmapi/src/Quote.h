#ifndef OPENMMFLOW_QUOTE_H_
#define OPENMMFLOW_QUOTE_H_

#include <string>

namespace OpenMMFlow {

/** Text that comes from a file and may be anything, made fit for an error message: quoted, short, printable
 * ASCII. */
inline std::string quote(const std::string& text) {
    const size_t longest = 60;
    std::string result = "'";
    for (char c : text.substr(0, longest))
        result += c >= ' ' && c <= '~' ? c : '?';
    return result + (text.size() > longest ? "...'" : "'");
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_QUOTE_H_*/
