#ifndef OPENMMFLOW_RANDOMORIENTATION_H_
#define OPENMMFLOW_RANDOMORIENTATION_H_

#include <cstdint>

namespace OpenMMFlow {

/** Turn positions (count, 3) by a rotation that is uniform on SO(3), or around z in two dimensions: the same
 * for the same seed and draw. */
void rotateAtRandom(double* positions, int count, int dimensions, uint64_t seed, uint64_t draw);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_RANDOMORIENTATION_H_*/
