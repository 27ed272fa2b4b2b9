#ifndef OPENMMFLOW_TEMPERATURE_H_
#define OPENMMFLOW_TEMPERATURE_H_

#include <cmath>
#include <string>

#include "openmm/OpenMMException.h"

namespace OpenMMFlow {

/** Get a temperature back, in K, if it is one. */
inline double checkTemperature(double temperature) {
    if (!(temperature > 0 && std::isfinite(temperature)))
        throw OpenMM::OpenMMException("The temperature must be positive, in K, not "
                                      + std::to_string(temperature) + ".");
    return temperature;
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TEMPERATURE_H_*/
