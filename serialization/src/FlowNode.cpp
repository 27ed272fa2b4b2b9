#include "FlowNode.h"

#include <zlib.h>

#include <exception>

#include "Base64.h"
#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

/** zlib makes nothing shorter than this many times, so that a false size cannot ask for any amount of memory.
 */
const long long MOST_COMPRESSED = 1032;

string compressBytes(const string& bytes) {
    uLongf size = compressBound(bytes.size());
    string compressed(size, '\0');
    if (compress2((Bytef*)compressed.data(), &size, (const Bytef*)bytes.data(), bytes.size(),
                  Z_DEFAULT_COMPRESSION)
        != Z_OK)
        throw OpenMMException("There is not enough memory to compress the flow.");
    compressed.resize(size);
    return compressed;
}

string decompressBytes(const string& compressed, long long size) {
    if (size < 0 || size / MOST_COMPRESSED > (long long)compressed.size())
        throw OpenMMException("its size cannot be " + to_string(size) + " bytes.");
    string bytes(size, '\0');
    uLongf written = size;
    const int result =
        uncompress((Bytef*)bytes.data(), &written, (const Bytef*)compressed.data(), compressed.size());
    if (result != Z_OK || (long long)written != size)
        throw OpenMMException("its data are damaged.");
    return bytes;
}

}  // namespace

void addFlowNode(SerializationNode& parent, const Flow& flow) {
    const string bytes = flow.toBytes();
    parent.createChildNode("Flow")
        .setStringProperty("hash", flow.getHash())
        .setLongProperty("size", bytes.size())
        .setStringProperty("data", encodeBase64(compressBytes(bytes)));
}

Flow readFlowNode(const SerializationNode& parent) {
    try {
        const SerializationNode& node = parent.getChildNode("Flow");
        const Flow flow = Flow::fromBytes(
            decompressBytes(decodeBase64(node.getStringProperty("data")), node.getLongProperty("size")));
        if (flow.getHash() != node.getStringProperty("hash"))
            throw OpenMMException("it is not the one whose hash stands beside it.");
        return flow;
    } catch (const exception& error) {
        const string reason = error.what();
        throw OpenMMException("Cannot read the flow of a " + parent.getStringProperty("type", "Force")
                              + " from XML: " + reason + (reason.ends_with(".") ? "" : "."));
    }
}

}  // namespace OpenMMFlow
