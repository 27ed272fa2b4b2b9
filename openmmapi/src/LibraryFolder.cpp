#include "openmmflow/internal/LibraryFolder.h"

#include <dlfcn.h>

#include <filesystem>

namespace OpenMMFlow {

std::string getLibraryFolder() {
    Dl_info info;
    if (dladdr(reinterpret_cast<void*>(&getLibraryFolder), &info) == 0)
        return "";
    return std::filesystem::path(info.dli_fname).parent_path().string();
}

}  // namespace OpenMMFlow
