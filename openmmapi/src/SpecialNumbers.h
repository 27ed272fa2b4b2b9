#ifndef OPENMMFLOW_SPECIALNUMBERS_H_
#define OPENMMFLOW_SPECIALNUMBERS_H_

#include <limits>

namespace OpenMMFlow {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double notANumber = std::numeric_limits<double>::quiet_NaN();

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_SPECIALNUMBERS_H_*/
