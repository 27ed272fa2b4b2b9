#ifndef OPENMMFLOW_CROSSING_H_
#define OPENMMFLOW_CROSSING_H_

#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "LastError.h"
#include "openmm/OpenMMException.h"

/** What the generated functions are made of. Handles of C are pointers to objects of C++, as in OpenMM. */
namespace OpenMMFlow::wrappers {

constexpr double notANumber = std::numeric_limits<double>::quiet_NaN();

/** Call something that may throw. If it does, keep the message and return `failure`. */
template <class Result, class Call>
Result guarded(const char* function, const Result& failure, const Call& call) {
    try {
        return call();
    } catch (const NullArgument& e) {
        setNullError(function, e.name);
    } catch (const std::exception& e) {
        setLastError(e.what());
    } catch (...) {
        setLastError("Unknown exception.");
    }
    return failure;
}

template <class Call>
void guarded(const char* function, const Call& call) {
    guarded(function, 0, [&] {
        call();
        return 0;
    });
}

template <class T, class Handle>
T& object(Handle* handle, const char* name) {
    if (handle == nullptr)
        throw NullArgument{name};
    return *reinterpret_cast<T*>(handle);
}

template <class T, class Handle>
const T& orDefault(const Handle* handle, const T& value) {
    return handle == nullptr ? value : *reinterpret_cast<const T*>(handle);
}

template <class T, class Handle>
std::optional<T> optional(const Handle* handle) {
    return handle == nullptr ? std::nullopt : std::optional<T>(*reinterpret_cast<const T*>(handle));
}

inline std::string text(const char* text, const char* name) {
    if (text == nullptr)
        throw NullArgument{name};
    return text;
}

inline size_t arraySize(long long size) {
    if (size < 0)
        throw OpenMM::OpenMMException("The size of an array must not be negative.");
    return static_cast<size_t>(size);
}

inline std::string bytesOf(const char* bytes, long long size, const char* name) {
    if (bytes == nullptr)
        throw NullArgument{name};
    return std::string(bytes, arraySize(size));
}

inline std::vector<bool> booleans(const std::vector<int>& values) {
    std::vector<bool> result;
    for (int value : values)
        result.push_back(value != 0);
    return result;
}

template <class Array>
auto& element(Array& array, long long index) {
    if (index < 0 || static_cast<size_t>(index) >= array.size())
        throw OpenMM::OpenMMException("There is no element " + std::to_string(index) + " in an array of "
                                      + std::to_string(array.size()) + ".");
    return array[static_cast<size_t>(index)];
}

template <class Handle, class T>
Handle* owned(T&& value) {
    return reinterpret_cast<Handle*>(new std::decay_t<T>(std::forward<T>(value)));
}

template <class Pointer, class T>
Pointer optionalPointer(const std::optional<T>& value) {
    return value ? reinterpret_cast<Pointer>(&*value) : nullptr;
}

inline char* ownedBytes(const std::string& bytes, long long& size) {
    // One more than there are, so that it is never nothing, and text ends where it should.
    char* result = static_cast<char*>(std::malloc(bytes.size() + 1));
    if (result == nullptr)
        throw std::bad_alloc();
    std::memcpy(result, bytes.c_str(), bytes.size() + 1);
    size = static_cast<long long>(bytes.size());
    return result;
}

inline char* ownedText(const std::string& text) {
    long long size;
    return ownedBytes(text, size);
}

}  // namespace OpenMMFlow::wrappers

#endif /*OPENMMFLOW_CROSSING_H_*/
