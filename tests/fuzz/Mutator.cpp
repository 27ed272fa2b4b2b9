#include "Mutator.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace OpenMMFlow::tests {

using nlohmann::json;
using std::string;

namespace {

const uint64_t interesting[] = {
    0,          1,     2,        3,          4,          7,          8,          255,
    256,        65536, 10000000, 1ULL << 31, 1ULL << 32, 1ULL << 61, 1ULL << 62, (1ULL << 63) - 1,
    1ULL << 63, ~0ULL};

uint64_t getHeaderSize(const string& bytes) {
    uint64_t size = 0;
    if (bytes.size() >= 8)
        std::memcpy(&size, bytes.data(), 8);
    return bytes.size() < 8 || size > bytes.size() - 8 ? 0 : size;
}

/** Replace the header, with its length, so that what follows it is still found. */
void setHeader(string& bytes, const string& header) {
    uint64_t oldSize = getHeaderSize(bytes), size = header.size();
    bytes.replace(0, std::min<size_t>(8 + oldSize, bytes.size()),
                  string(reinterpret_cast<const char*>(&size), 8) + header);
}

}  // namespace

string Mutator::mutate(string bytes) {
    for (size_t i = 0, count = 1 + index(3); i < count; i++)
        mutateOnce(bytes);
    return bytes;
}

void Mutator::mutateOnce(string& bytes) {
    size_t header = 8 + getHeaderSize(bytes);
    switch (index(10)) {
        case 0:
            return flipBytes(bytes, 0, bytes.size());
        case 1:
            return flipBytes(bytes, 8, header);
        case 2:
            return changeLength(bytes);
        case 3:
            return changeHeaderLength(bytes);
        case 4:
        case 5:
            return changeData(bytes);
        case 6:
        case 7:
            return changeHeaderText(bytes);
        default:
            return changeHeaderTree(bytes);
    }
}

void Mutator::flipBytes(string& bytes, size_t begin, size_t end) {
    for (size_t i = 0, count = 1 + index(4); i < count && begin < end && end <= bytes.size(); i++) {
        char& byte = bytes[begin + index(end - begin)];
        byte = index(2) ? (char)generator() : (char)(byte ^ (1 << index(8)));
    }
}

void Mutator::changeLength(string& bytes) {
    if (index(2))
        bytes.resize(index(bytes.size() + 1));
    else
        bytes.append(1 + index(64), (char)generator());
}

void Mutator::changeHeaderLength(string& bytes) {
    uint64_t size = getHeaderSize(bytes);
    size = index(2) ? interesting[index(std::size(interesting))] : size + generator() % 17 - 8;
    if (bytes.size() >= 8)
        std::memcpy(bytes.data(), &size, 8);
}

void Mutator::changeData(string& bytes) {
    const double reals[] = {0,   -0.0, 1, -1, 1e-300, 1e30, 1e300, std::numeric_limits<double>::infinity(),
                            NAN, M_PI};
    const size_t begin = 8 + getHeaderSize(bytes), size = size_t(1) << index(4);
    if (bytes.size() < begin + size)
        return;
    char* place = bytes.data() + begin + index((bytes.size() - begin) / size) * size;
    double real = reals[index(std::size(reals))];
    float single = (float)std::min(real, 3e38);
    int64_t integer = (int64_t)index(8) - 2;
    if (index(2))
        std::memcpy(place, &integer, size);
    else if (size == 4)
        std::memcpy(place, &single, size);
    else
        std::memcpy(place, &real, size);
}

void Mutator::changeHeaderText(string& bytes) {
    string header = bytes.substr(std::min<size_t>(8, bytes.size()), getHeaderSize(bytes));
    changeText(header);
    setHeader(bytes, header);
}

void Mutator::changeText(string& text) {
    const char* const fragments[] = {"[",     "{",        "}",       "]",    ",",    ":",
                                     "\"",    "\\",       "\\u0000", "\xff", "null", "-1",
                                     "1e400", "\"a\":0,", "\"F64\"", "\n",   "NaN"};
    size_t begin = index(text.size()), length = std::min(index(40), text.size() - begin);
    switch (index(6)) {
        case 0:
        case 1:
            return changeNumber(text);
        case 2:
            text.erase(begin, length);
            return;
        case 3:
            text.insert(begin, fragments[index(std::size(fragments))]);
            return;
        case 4:
            text.insert(begin, string(index(2) ? 10 : 3000, index(2) ? '[' : ' '));
            return;
        default: {
            // An entry of an object, from its key to the next comma, twice.
            size_t key = text.find(",\"", begin), end = text.find(',', key + 1);
            if (key != string::npos && end != string::npos)
                text.insert(end, text.substr(key, end - key));
        }
    }
}

void Mutator::changeNumber(string& text) {
    const string digits = "0123456789";
    size_t begin = text.find_first_of(digits, index(text.size()));
    if (begin == string::npos)
        return;
    size_t end = std::min(text.find_first_not_of(digits, begin), text.size());
    string number = std::to_string(interesting[index(std::size(interesting))]);
    text.replace(begin, end - begin, index(4) ? number : "-" + number);
}

void Mutator::changeHeaderTree(string& bytes) {
    json root =
        json::parse(bytes.substr(std::min<size_t>(8, bytes.size()), getHeaderSize(bytes)), nullptr, false);
    if (!root.is_object())
        return;
    json* configuration = nullptr;
    if (root.contains("__metadata__") && root["__metadata__"].is_object()
        && root["__metadata__"].contains("configuration"))
        configuration = &root["__metadata__"]["configuration"];
    if (configuration && configuration->is_string() && index(3) == 0) {
        string text = *configuration;
        json tree = json::parse(text, nullptr, false);
        if (tree.is_object() && index(4) != 0) {
            changeTree(tree);
            text = tree.dump();
        } else {
            changeText(text);
        }
        *configuration = text;
    } else {
        changeTree(root);
    }
    setHeader(bytes, root.dump(-1, ' ', false, json::error_handler_t::replace));
}

/** Walk down to a random node, and replace, remove or rename it, or move it from one place to another. */
void Mutator::changeTree(json& root) {
    json* node = &root;
    while (node->is_structured() && !node->empty()) {
        auto child = node->begin();
        std::advance(child, index(node->size()));
        if (!child->is_structured() || child->empty() || index(8) == 0) {
            size_t choice = index(8);
            if (choice == 0) {
                node->erase(child);
            } else if (choice == 1 && node->is_object()) {
                json value = *child;
                string key = child.key();
                node->erase(child);
                (*node)[key + (index(2) ? "x" : "\n")] = value;
            } else if (choice == 2) {
                auto other = node->begin();
                std::advance(other, index(node->size()));
                std::swap(*child, *other);
            } else {
                *child = makeValue(*child);
            }
            return;
        }
        node = &*child;
    }
}

json Mutator::makeValue(const json& old) {
    if (old.is_number_unsigned() && index(2))
        return old.get<uint64_t>() + index(17) - 8;
    switch (index(9)) {
        case 0:
        case 1:
            return interesting[index(std::size(interesting))];
        case 2:
            return -(int64_t)index(100);
        case 3:
            return 1e-3 * (double)index(10000);
        case 4:
            return json::array({old, old});
        case 5:
            return json::object({{"dtype", "U8"}, {"shape", {index(3)}}, {"data_offsets", {0, index(3)}}});
        case 6:
            return nullptr;
        case 7: {
            const char* const words[] = {"",  "F32", "F64",  "I64",      "U8", "BF16",
                                         "1", "2",   "silu", "internal", "\n"};
            return words[index(std::size(words))];
        }
        default:
            return string(index(2) ? 1000 : 5, (char)(1 + index(126)));
    }
}

}  // namespace OpenMMFlow::tests
