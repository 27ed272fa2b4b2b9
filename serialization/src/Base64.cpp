#include "Base64.h"

#include <cstdint>

#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

const string base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const char base64Padding = '=';

}  // namespace

string encodeBase64(const string& bytes) {
    string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (size_t start = 0; start < bytes.size(); start += 3) {
        uint32_t group = 0;
        for (size_t i = start; i < start + 3; i++)
            group = group << 8 | (i < bytes.size() ? (unsigned char)bytes[i] : 0);
        for (int digit = 0; digit < 4; digit++)
            text +=
                start + digit <= bytes.size() ? base64Digits[group >> (18 - 6 * digit) & 63] : base64Padding;
    }
    return text;
}

string decodeBase64(const string& text) {
    string bytes;
    bytes.reserve(text.size() / 4 * 3);
    const size_t padding = text.size() - min(text.size(), text.find_last_not_of(base64Padding) + 1);
    for (size_t start = 0; start + 4 <= text.size(); start += 4) {
        uint32_t group = 0;
        for (size_t i = start; i < start + 4; i++) {
            const size_t value = i < text.size() - padding ? base64Digits.find(text[i]) : 0;
            if (value == string::npos)
                throw OpenMMException("it is not text in Base64.");
            group = group << 6 | (uint32_t)value;
        }
        for (int shift : {16, 8, 0})
            bytes += (char)(group >> shift & 255);
    }
    bytes.resize(bytes.size() - min(bytes.size(), padding));
    // Every text but the one of these bytes is refused: a wrong length, too much padding, bits that are left
    // over.
    if (encodeBase64(bytes) != text)
        throw OpenMMException("it is not text in Base64.");
    return bytes;
}

}  // namespace OpenMMFlow
