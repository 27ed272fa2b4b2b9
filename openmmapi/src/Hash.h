#ifndef OPENMMFLOW_HASH_H_
#define OPENMMFLOW_HASH_H_

#include <cstdint>
#include <string>

namespace OpenMMFlow {

/**
 * The 64-bit FNV-1a hash (Fowler, Noll, Vo) of a sequence of strings, each of which counts with its length.
 * It tells things apart that differ by accident; it is no protection against forgery.
 */
class Hash {
public:
    Hash& add(const std::string& bytes) {
        uint64_t size = bytes.size();
        for (int i = 0; i < 8; i++)
            addByte((unsigned char)(size >> (8 * i)));
        for (unsigned char byte : bytes)
            addByte(byte);
        return *this;
    }
    /** 16 hexadecimal digits. */
    std::string toString() const {
        std::string digits(16, '0');
        for (int i = 0; i < 16; i++)
            digits[i] = "0123456789abcdef"[(value >> (60 - 4 * i)) & 15];
        return digits;
    }

private:
    void addByte(unsigned char byte) { value = (value ^ byte) * 0x100000001b3ULL; }
    uint64_t value = 0xcbf29ce484222325ULL;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_HASH_H_*/
