#ifndef OPENMMFLOW_TEMPEREDWEIGHTS_H_
#define OPENMMFLOW_TEMPEREDWEIGHTS_H_

#include <vector>

namespace OpenMMFlow {

/**
 * Raise importance weights to the largest power, of 1 at most, at which this fraction of them is effective
 * (Kish). A few samples would say nearly all there is to learn otherwise, and say it with noise. With powers
 * between 0 and 1, path gradients are those of the alpha-divergences between the reverse and the forward
 * Kullback-Leibler divergence.
 *
 * @param logWeights   finite, up to a constant; at least one
 * @param fraction     less than 1; 0 for no change
 * @return the logarithms of the powers
 */
std::vector<double> temperWeights(const std::vector<double>& logWeights, double fraction);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_TEMPEREDWEIGHTS_H_*/
