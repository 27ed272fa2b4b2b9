#ifndef OPENMMFLOW_LIBRARYFOLDER_H_
#define OPENMMFLOW_LIBRARYFOLDER_H_

#include <string>

namespace OpenMMFlow {

/** Get the folder that libOpenMMFlow was loaded from; its plugins are in the folder "plugins" there. Empty if
 * that is not known. */
std::string getLibraryFolder();

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_LIBRARYFOLDER_H_*/
