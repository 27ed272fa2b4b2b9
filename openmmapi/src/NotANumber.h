#ifndef OPENMMFLOW_NOTANUMBER_H_
#define OPENMMFLOW_NOTANUMBER_H_

#include <string>

#include "openmm/OpenMMException.h"

namespace OpenMMFlow {

/**
 * Whether OpenMM threw because a coordinate or an energy became NaN, which concerns one configuration only.
 * To go on after anything else, such as a fault in a PythonForce, would hide it.
 */
inline bool isAboutNaN(const OpenMM::OpenMMException& error) {
    return std::string(error.what()).find("NaN") != std::string::npos;
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_NOTANUMBER_H_*/
