#ifndef OPENMMFLOW_MARGINALDENSITY_H_
#define OPENMMFLOW_MARGINALDENSITY_H_

#include <cstdint>
#include <vector>

#include "openmmflow/FlowKernels.h"
#include "openmmflow/internal/AugmentedFlowModel.h"

namespace OpenMMFlow {

/**
 * Make a joint configuration (N+A, 3) of x (N, 3) and a draw of a from pi(a|x), which is determined by a
 * seed, the index of the configuration and that of the draw. In two dimensions z of a is 0.
 */
void drawConditional(const AugmentedFlowModel& model, const double* x, uint64_t seed, uint64_t configuration,
                     int draw, double* joint);

/**
 * What follows from the joint density of an augmented flow, on every platform: samples with the density that
 * their importance weight takes, log q(x,a) - log pi(a|x), and estimates of the marginal density.
 */
class MarginalDensity {
public:
    MarginalDensity(const AugmentedFlowModel& model, FlowKernel& kernel);
    /** As FlowContext::sample(). */
    void sample(long long count, uint64_t seed, uint64_t first, double* positions, double* logQ);
    /**
     * Estimate log q(x) by logsumexp_k[log q(x,a_k) - log pi(a_k|x)] - log K, with a_k drawn from pi(a|x).
     *
     * @param positions   (count, N, 3)
     * @param first       the index of the first configuration, on which its draws depend
     * @param logQ        (count): on exit, the estimates
     * @param gradient    (count, N, 3): on exit, the gradient of the estimates; may be null. The noise of a_k
     * is fixed, so that a_k moves with x
     */
    void estimate(long long count, const double* positions, int draws, uint64_t seed, uint64_t first,
                  double* logQ, double* gradient);

private:
    void estimateChunk(uint64_t first, long long count, const double* positions, int draws, uint64_t seed,
                       double* logQ, double* gradient);
    const AugmentedFlowModel& model;
    FlowKernel& kernel;
    /** Numbers in x, and in a joint configuration. */
    size_t size, jointSize;
    std::vector<double> joint, jointLogQ, jointGradient;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_MARGINALDENSITY_H_*/
