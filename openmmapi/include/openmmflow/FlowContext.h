#ifndef OPENMMFLOW_FLOWCONTEXT_H_
#define OPENMMFLOW_FLOWCONTEXT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "openmm/Platform.h"
#include "openmmflow/Flow.h"

namespace OpenMMFlow {

/**
 * A FlowContext binds a Flow to a Platform, as a Context binds a System to one: it draws samples and computes
 * densities, in batches.
 *
 * Arrays are flat, with the sample as the slowest index: positions are (count, N, 3) in nm. Calls on one
 * FlowContext must not overlap in time; different FlowContexts are independent.
 */
class FlowContext {
public:
    /** Create a FlowContext on the fastest Platform that works, with these properties. */
    explicit FlowContext(const Flow& flow, const std::map<std::string, std::string>& properties = {});
    /**
     * Create a FlowContext on a particular Platform.
     *
     * @param flow         the Flow to evaluate
     * @param platform     the Platform to evaluate it on
     * @param properties   "Precision": single, mixed or double, and "Threads": the number of threads (by
     * default as many as OpenMM's CPU platform would use, which OPENMM_CPU_THREADS sets), where the Platform
     * knows these
     * @throws OpenMM::OpenMMException if the Platform has no kernel for this Flow, or does not know a
     * property
     */
    FlowContext(const Flow& flow, OpenMM::Platform& platform,
                const std::map<std::string, std::string>& properties = {});
    ~FlowContext();
    FlowContext(const FlowContext&) = delete;
    FlowContext& operator=(const FlowContext&) = delete;
    const Flow& getFlow() const;
    OpenMM::Platform& getPlatform() const;
    /** Get the platform properties in effect, defaults included. */
    std::map<std::string, std::string> getProperties() const;
    /**
     * Draw samples. Sample k of a seed is the same sample whatever the batch size, the number of threads or
     * the platform (to 1e-9 nm in double precision, 1e-4 nm in single).
     *
     * @param count      how many samples to draw
     * @param positions  (count, N, 3): on exit, the positions in nm, their centre of geometry at the origin
     * @param logQ       (count): on exit, log q in nm^-(3N-3); +infinity marks a sample outside the flow's
     * support, whose importance weight is zero. For augmented flows: log q(x,a) - log pi(a|x) with the
     * sample's own a
     * @param seed       the seed
     * @param first      the index of the first sample
     */
    void sample(long long count, std::vector<double>& positions, std::vector<double>& logQ, uint64_t seed = 0,
                uint64_t first = 0);
    /**
     * Draw samples of an augmented flow with their augmented particles. Sample k has the same x as from
     * sample(). For other flows this is sample().
     *
     * @param positions  (count, N+A, 3): on exit, the positions in nm, x first, with its centre at the origin
     * @param logQ       (count): on exit, log q(x,a) in nm^-(3(N+A)-3); +infinity as from sample()
     */
    void sampleJoint(long long count, std::vector<double>& positions, std::vector<double>& logQ,
                     uint64_t seed = 0, uint64_t first = 0);
    /**
     * Compute log q of configurations. Their centres need not be at the origin: log q is invariant to
     * translation.
     *
     * @param positions   (count, N, 3) in nm
     * @param draws       for augmented flows, the number of draws of a that estimate the marginal; others
     * ignore it
     * @param seed        for augmented flows, the seed of those draws
     * @param first       for augmented flows, the index of the first configuration: configuration k of a seed
     * has the same draws whatever the batch
     * @return (count): log q in nm^-(3N-3); -infinity outside the support, NaN where a position is not
     * finite. For augmented flows it is an estimate, logsumexp_k[log q(x,a_k) - log pi(a_k|x)] - log K with K
     * draws a_k from pi(a|x), and too low on average
     */
    std::vector<double> computeLogDensity(const std::vector<double>& positions, int draws = 1,
                                          uint64_t seed = 0, uint64_t first = 0);
    /**
     * Compute log q(x,a) of joint configurations, the augmented particles included.
     *
     * @param positions   (count, N+A, 3) in nm, x first; both may be shifted together
     * @return (count): log q(x,a) in nm^-(3(N+A)-3); infinities and NaN as from computeLogDensity()
     */
    std::vector<double> computeJointLogDensity(const std::vector<double>& positions);
    /**
     * Compute log q of configurations and its gradient.
     *
     * @param positions   (count, N, 3) in nm
     * @param logQ        (count): on exit, log q
     * @param gradient    (count, N, 3): on exit, the gradient of log q in 1/nm; NaN where log q is not
     * finite. For augmented flows that of the estimate, with the noise of its draws fixed
     */
    void computeLogDensityGradient(const std::vector<double>& positions, std::vector<double>& logQ,
                                   std::vector<double>& gradient, int draws = 1, uint64_t seed = 0,
                                   uint64_t first = 0);
    /** The same of joint configurations, (count, N+A, 3). */
    void computeJointLogDensityGradient(const std::vector<double>& positions, std::vector<double>& logQ,
                                        std::vector<double>& gradient);
    /**
     * Compute log q of one configuration, and its gradient, in the shortest time. What a batch gives is the
     * same but for round-off.
     *
     * @param positions   (N, 3) in nm
     * @param gradient    (N, 3): on exit, as above; may be null
     * @param draws       for augmented flows, as for computeLogDensity()
     * @return log q
     */
    double computeLogDensityOfOne(const std::vector<double>& positions,
                                  std::vector<double>* gradient = nullptr, int draws = 1, uint64_t seed = 0,
                                  uint64_t first = 0);
    /** The same of one joint configuration, (N+A, 3). */
    double computeJointLogDensityOfOne(const std::vector<double>& positions,
                                       std::vector<double>* gradient = nullptr);

private:
    struct Implementation;
    std::unique_ptr<Implementation> impl;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FLOWCONTEXT_H_*/
