#ifndef OPENMMFLOW_BYTESOURCE_H_
#define OPENMMFLOW_BYTESOURCE_H_

#include <cstdint>
#include <string>

namespace OpenMMFlow {

/** The bytes of a file, read from front to back, so that the header is checked before anything else is
 * loaded. */
class ByteSource {
public:
    virtual ~ByteSource() = default;
    virtual uint64_t size() const = 0;
    /** Copy the next bytes; the caller asks for no more than there are. */
    virtual void read(char* destination, uint64_t count) = 0;
};

class MemorySource : public ByteSource {
public:
    explicit MemorySource(const std::string& bytes) : bytes(bytes) {}
    uint64_t size() const override { return bytes.size(); }
    void read(char* destination, uint64_t count) override {
        bytes.copy(destination, count, position);
        position += count;
    }

private:
    const std::string& bytes;
    size_t position = 0;
};

class DiskSource : public ByteSource {
public:
    /** @throws OpenMM::OpenMMException unless the path is that of a regular file which can be read */
    explicit DiskSource(const std::string& path);
    ~DiskSource() override;
    DiskSource(const DiskSource&) = delete;
    DiskSource& operator=(const DiskSource&) = delete;
    uint64_t size() const override { return fileSize; }
    void read(char* destination, uint64_t count) override;

private:
    const std::string path;
    int descriptor;
    uint64_t fileSize = 0;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_BYTESOURCE_H_*/
