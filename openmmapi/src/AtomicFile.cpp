#include "AtomicFile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "openmm/OpenMMException.h"

namespace OpenMMFlow {

using OpenMM::OpenMMException;

AtomicFile::AtomicFile(const std::string& path) : path(path) {
    // Renaming over a device such as /dev/null would replace it.
    struct stat status;
    if (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
        throw OpenMMException("Cannot write '" + path + "': it is not a file; choose another name.");
    static std::atomic<unsigned> counter = 0;
    do {
        temporaryPath = path + ".tmp-" + std::to_string(getpid()) + "-" + std::to_string(counter++);
        descriptor = open(temporaryPath.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (descriptor < 0 && errno == EEXIST);
    if (descriptor < 0)
        fail();
}

AtomicFile::~AtomicFile() {
    if (descriptor >= 0)
        close(descriptor);
    if (!temporaryPath.empty())
        unlink(temporaryPath.c_str());
}

void AtomicFile::write(const char* bytes, size_t count) {
    while (count > 0) {
        // Linux writes at most 2 GiB at once.
        ssize_t written = ::write(descriptor, bytes, std::min(count, (size_t)1 << 30));
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            fail();
        bytes += written;
        count -= written;
    }
}

void AtomicFile::seek(int64_t position) {
    if (lseek(descriptor, position, SEEK_SET) < 0)
        fail();
}

void AtomicFile::commit() {
    if (fsync(descriptor) != 0)
        fail();
    int closed = close(descriptor);
    descriptor = -1;
    if (closed != 0 || std::rename(temporaryPath.c_str(), path.c_str()) != 0)
        fail();
    temporaryPath.clear();
    // The new name survives a power failure once the folder is on disk too. Not every file system can do
    // this, and the file itself is safe, so that a failure is no error.
    size_t slash = path.rfind('/');
    std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    int folderDescriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folderDescriptor >= 0) {
        (void)!fsync(folderDescriptor);
        close(folderDescriptor);
    }
}

void AtomicFile::fail() const {
    throw OpenMMException("Cannot write '" + path + "': " + std::generic_category().message(errno) + ".");
}

}  // namespace OpenMMFlow
