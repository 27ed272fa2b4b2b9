#ifndef OPENMMFLOW_PRIORITIZEDDRAW_H_
#define OPENMMFLOW_PRIORITIZEDDRAW_H_

#include <cstdint>
#include <vector>

namespace OpenMMFlow {

/**
 * Draw samples in proportion to their weights, independently, so that one may be drawn more than once.
 *
 * @param logWeights   (samples): finite, up to a constant
 * @param draw         the number of the draw, on which random numbers depend
 * @return the numbers of the samples
 */
std::vector<int64_t> drawPrioritized(const std::vector<double>& logWeights, int count, uint64_t seed,
                                     uint64_t draw);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_PRIORITIZEDDRAW_H_*/
