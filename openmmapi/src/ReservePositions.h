#ifndef OPENMMFLOW_RESERVEPOSITIONS_H_
#define OPENMMFLOW_RESERVEPOSITIONS_H_

#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "openmm/OpenMMException.h"

namespace OpenMMFlow {

/**
 * Get an empty vector with memory for the positions of samples, (count, N, 3), before hours of work go into
 * them.
 *
 * @param instead   the method that needs no such memory
 * @throws OpenMM::OpenMMException if there is not enough
 */
inline std::vector<double> reservePositions(long long count, int numParticles, const std::string& instead) {
    std::vector<double> positions;
    try {
        if ((size_t)count > positions.max_size() / (3 * numParticles))
            throw std::length_error("more than any memory holds");
        positions.reserve(count * numParticles * 3);
    } catch (const std::exception&) {
        throw OpenMM::OpenMMException("There is not enough memory for the positions of "
                                      + std::to_string(count) + " samples: use " + instead + ".");
    }
    return positions;
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_RESERVEPOSITIONS_H_*/
