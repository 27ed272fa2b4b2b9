#ifndef OPENMMFLOW_CONSTRAINEDTRANSPORT_H_
#define OPENMMFLOW_CONSTRAINEDTRANSPORT_H_

#include <vector>

#include "IntermediateTarget.h"

namespace OpenMMFlow {

/**
 * One step of constrained mass transport (von Klitzing et al. 2025, arXiv 2510.18460) on samples of a density
 * q: what minimises KL(r || p) subject to KL(r || q) <= epsilon and H(q) - H(r) <= delta, where H is the
 * entropy. With multipliers lambda and eta of the two constraints that is
 *
 *     r proportional to q^(lambda/(1+lambda+eta)) p^(1/(1+lambda+eta)),
 *
 * and the multipliers maximise the dual function, which is concave. Its derivatives are how much r goes
 * beyond each bound, by the importance weights of the samples.
 */
class ConstrainedTransport {
public:
    /** What r is, by the samples. */
    struct Moments {
        /** KL(r || q) and H(q) - H(r), in nats. */
        double divergence, entropyDecay;
    };
    /** @param logQ, logP   (samples): finite; the latter up to a constant */
    ConstrainedTransport(const std::vector<double>& logQ, const std::vector<double>& logP)
        : logQ(logQ), logP(logP) {}
    Moments measure(const IntermediateTarget& r) const;
    /**
     * @param trustRegion    epsilon, positive
     * @param entropyDecay   delta, positive; 0 for no bound
     */
    IntermediateTarget solve(double trustRegion, double entropyDecay) const;

private:
    /** Solve for lambda with a given eta. */
    IntermediateTarget solveTrustRegion(double trustRegion, double eta) const;
    const std::vector<double>&logQ, &logP;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_CONSTRAINEDTRANSPORT_H_*/
