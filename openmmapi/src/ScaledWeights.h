#ifndef OPENMMFLOW_SCALEDWEIGHTS_H_
#define OPENMMFLOW_SCALEDWEIGHTS_H_

#include <vector>

namespace OpenMMFlow {

/** Importance weights relative to the largest one, so that nothing overflows. They are all zero if there is
 * no positive weight. */
class ScaledWeights {
public:
    /** @param logWeights   (count); -infinity for weight zero */
    ScaledWeights(const double* logWeights, long long count);
    explicit ScaledWeights(const std::vector<double>& logWeights);
    /** Get the effective sample size of Kish, (sum w)^2 / sum w^2; zero if all weights are zero. */
    double getEffectiveSize() const;
    /** Get log of the average weight; -infinity if all weights are zero. */
    double getLogAverage() const;
    /**
     * Choose samples with probability proportional to weight, by systematic resampling (Kitagawa 1996,
     * J. Comput. Graph. Stat. 5, 1): the number of copies of each differs from its expectation by less than
     * one. There must be a positive weight.
     *
     * @param count    how many to choose
     * @param offset   the random number, uniform on [0, 1)
     * @return (count): indices, in ascending order
     */
    std::vector<long long> resample(long long count, double offset) const;

    std::vector<double> values;
    double logScale, sum;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_SCALEDWEIGHTS_H_*/
