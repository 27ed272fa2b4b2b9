#ifndef OPENMMFLOW_ANNEALINGPATH_H_
#define OPENMMFLOW_ANNEALINGPATH_H_

#include <cstdint>
#include <vector>

#include "EnergyVerifier.h"
#include "openmmflow/BatchedPotential.h"
#include "openmmflow/FlowContext.h"

namespace OpenMMFlow {

/** Configurations, and all that the densities of an AnnealingPath need to know of them. */
struct AnnealingStates {
    /** (count, N, 3) in nm. */
    std::vector<double> positions;
    /** (count): log q and u. */
    std::vector<double> logQ, reducedPotentials;
    /** (count, N, 3): the gradients of log q and of -u in 1/nm. */
    std::vector<double> flowGradients, targetGradients;
    long long getCount() const { return (long long)logQ.size(); }
    /** Whether a state has a density: it lies on the support of the flow, and its energy is finite. */
    bool isAllowed(long long k) const;
    /** Get states first ... first+count-1. */
    AnnealingStates slice(long long first, long long count) const;
    /** Put a state of other ones in the place of state k. */
    void replace(long long k, const AnnealingStates& other, long long from);
};

/**
 * The geometric path of densities between a flow and a target, log pi_beta = (1-beta) log q - beta u up to a
 * constant, over the states with finite log q and u. Densities count configurations modulo translation.
 */
class AnnealingPath {
public:
    /**
     * All but the temperature, in K, must outlive this object.
     *
     * @param verifier   what verifies the energies; null for nothing
     */
    AnnealingPath(FlowContext& flow, BatchedPotential& potential, double temperature,
                  EnergyVerifier* verifier = nullptr);
    int getNumParticles() const;
    double getTemperature() const { return temperature; }
    /** Draw states from the flow. Samples off its support get log q = -infinity. */
    AnnealingStates draw(long long count, uint64_t seed, uint64_t first);
    /** Compute all else from the positions. */
    void evaluate(AnnealingStates& states);
    /** log pi_beta of a state that is allowed. */
    static double getLogDensity(const AnnealingStates& states, long long k, double beta);
    /** Compute the gradient of log pi_beta in 1/nm, (N, 3), without what would move the centre of geometry.
     */
    void computeGradient(const AnnealingStates& states, long long k, double beta, double* gradient) const;

private:
    FlowContext& flow;
    BatchedPotential& potential;
    double temperature;
    EnergyVerifier* verifier;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_ANNEALINGPATH_H_*/
