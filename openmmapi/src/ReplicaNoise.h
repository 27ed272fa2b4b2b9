#ifndef OPENMMFLOW_REPLICANOISE_H_
#define OPENMMFLOW_REPLICANOISE_H_

#include <cstdint>

#include "shared/noise.h"

namespace OpenMMFlow {

/**
 * Get the key of a replica's random numbers: it takes the place of the seed in all that is drawn for the
 * replica, and leaves the counter to the step. Keys of different streams are independent.
 */
uint64_t makeReplicaKey(uint64_t seed, uint64_t replica,
                        shared::NoiseStream stream = shared::NoiseStream::ReplicaKey);

/**
 * Draw standard normal numbers: a function of the arguments and of nothing else.
 *
 * @param key       what makeReplicaKey() returned
 * @param step      the number of the step
 * @param stream    what they are for
 * @param count     how many
 * @param normals   (count): on exit, the numbers
 */
void drawNormals(uint64_t key, uint64_t step, shared::NoiseStream stream, int count, double* normals);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_REPLICANOISE_H_*/
