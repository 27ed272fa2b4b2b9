%{
#include "openmmflow/internal/LibraryFolder.h"
%}

namespace OpenMMFlow {
std::string getLibraryFolder();
}
