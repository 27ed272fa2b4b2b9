#ifndef OPENMMFLOW_ATOMICFILE_H_
#define OPENMMFLOW_ATOMICFILE_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace OpenMMFlow {

/**
 * A file that appears under its name only when it is complete. It is written under a temporary name beside
 * it; commit() flushes it to disk and renames it; without a commit nothing is left behind and an older file
 * stays as it was.
 */
class AtomicFile {
public:
    /** @throws OpenMM::OpenMMException (as all methods do) with a sentence that says what prevents writing */
    explicit AtomicFile(const std::string& path);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    /** Write at the current position. */
    void write(const char* bytes, size_t count);
    /** Move to a position, counted from the start of the file. */
    void seek(int64_t position);
    void commit();

private:
    [[noreturn]] void fail() const;
    std::string path, temporaryPath;
    int descriptor = -1;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ATOMICFILE_H_*/
