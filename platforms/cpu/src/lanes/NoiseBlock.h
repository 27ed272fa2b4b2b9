#ifndef OPENMMFLOW_NOISEBLOCK_H_
#define OPENMMFLOW_NOISEBLOCK_H_

#include <cstdint>

namespace OpenMMFlow {

namespace lanes_double {
/**
 * Draw the noise of samples first ... first+count-1, in double precision whatever the precision of the flow.
 *
 * @param count      the number of samples, a multiple of the number of lanes
 * @param columns    the distance between the rows of the arrays
 * @param normals    (numNormals rounded up to even, columns): on exit, standard normal numbers
 * @param uniforms   (numUniforms rounded up to even, columns): on exit, numbers uniform on (0, 1)
 */
void drawNoise(uint64_t seed, uint64_t first, int count, int columns, int numNormals, double* normals,
               int numUniforms, double* uniforms);
}  // namespace lanes_double

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_NOISEBLOCK_H_*/
