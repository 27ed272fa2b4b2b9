#include "ByteSource.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "openmm/OpenMMException.h"

namespace OpenMMFlow {

namespace {

[[noreturn]] void throwUnreadable(const std::string& path, const std::string& reason) {
    throw OpenMM::OpenMMException("Cannot read '" + path + "': " + reason + ".");
}

std::string describeError(int error) {
    return std::generic_category().message(error);
}

}  // namespace

// Without O_NONBLOCK, opening a named pipe would wait for a writer.
DiskSource::DiskSource(const std::string& path)
    : path(path), descriptor(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
    if (descriptor < 0)
        throwUnreadable(path, describeError(errno));
    struct stat status;
    int error = fstat(descriptor, &status) == 0 ? 0 : errno;
    if (error == 0 && S_ISREG(status.st_mode)) {
        fileSize = status.st_size;
        return;
    }
    close(descriptor);
    throwUnreadable(path, error != 0 ? describeError(error) : "it is a folder or a device, not a file");
}

DiskSource::~DiskSource() {
    close(descriptor);
}

void DiskSource::read(char* destination, uint64_t count) {
    while (count > 0) {
        // Linux reads at most 2 GiB at once.
        ssize_t received = ::read(descriptor, destination, std::min(count, (uint64_t)1 << 30));
        if (received < 0 && errno == EINTR)
            continue;
        if (received <= 0)
            throwUnreadable(path,
                            received == 0 ? "it became shorter while it was read" : describeError(errno));
        destination += received;
        count -= received;
    }
}

}  // namespace OpenMMFlow
