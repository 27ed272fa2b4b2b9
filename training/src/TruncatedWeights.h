#ifndef OPENMMFLOW_TRUNCATEDWEIGHTS_H_
#define OPENMMFLOW_TRUNCATEDWEIGHTS_H_

#include <vector>

namespace OpenMMFlow {

/**
 * Compute importance weights, 1 on average before the largest are truncated to the root of their number
 * (Ionides 2008, J. Comput. Graph. Stat. 17, 295): samples are too few to know what is larger.
 *
 * @param logWeights   up to a constant; at least one of them is finite
 */
std::vector<double> computeTruncatedWeights(const std::vector<double>& logWeights);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TRUNCATEDWEIGHTS_H_*/
