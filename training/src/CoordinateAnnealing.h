#ifndef OPENMMFLOW_COORDINATEANNEALING_H_
#define OPENMMFLOW_COORDINATEANNEALING_H_

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "IntermediateTarget.h"
#include "TrainableFlow.h"
#include "openmmflow/BatchedPotential.h"
#include "openmmflow/internal/ProcessGroup.h"

namespace OpenMMFlow {

/**
 * Annealed importance sampling (Neal 2001, Stat. Comput. 11, 125) from a flow to an intermediate target,
 * along the geometric path between both, by Hamiltonian Monte Carlo (Duane et al. 1987, Phys. Lett. B 195,
 * 216) in the coordinates that the flow learns from, whose density is that of positions times |dx/dc|.
 */
class CoordinateAnnealing {
public:
    /** What the options say. */
    struct Settings {
        /** The number of densities between both ends, at each of which there is one move. */
        int numDensities;
        int leapfrogSteps;
        /** The average acceptance probability that step sizes adapt to. */
        double acceptance;
    };
    struct Samples {
        /** (samples, D). */
        std::vector<double> coordinates;
        /** (samples): log q(x) of the flow. */
        std::vector<double> logQ;
        /** (samples): the average of exp of these is the integral of the target, and samples with these
         * weights are distributed like it; -infinity where there is no density. */
        std::vector<double> logWeights;
    };
    /** The objects must live as long. @param kT   in kJ/mol */
    CoordinateAnnealing(const TrainableFlow& trainable, BatchedPotential& potential, double kT,
                        const Settings& settings, const ProcessGroup& group)
        : trainable(trainable), potential(potential), kT(kT), settings(settings), group(group) {}
    /**
     * Anneal samples, which processes share.
     *
     * @param count       how many there are in all
     * @param first       the number of the first sample among all with this seed
     * @param stepSizes   (densities): those of the leapfrog integrator, the momenta having unit mass. This
     * run uses them as they are, so that its weights are exact, and leaves better ones
     */
    Samples run(const at::Tensor& parameters, const IntermediateTarget& target, long long count,
                uint64_t seed, uint64_t first, std::vector<double>& stepSizes) const;
    /** Get how many energies each sample takes. */
    long long getEvaluationsPerSample() const {
        return 1 + (long long)settings.numDensities * settings.leapfrogSteps;
    }

private:
    struct Points;
    Points evaluate(const at::Tensor& parameters, const std::vector<double>& coordinates) const;
    /**
     * Move all points by one trajectory each.
     *
     * @param number   that of the move, on which random numbers depend
     * @return the average probability of acceptance, in all processes
     */
    double move(const at::Tensor& parameters, const IntermediateTarget& density, double stepSize,
                const std::vector<uint64_t>& keys, int number, Points& points) const;
    const TrainableFlow& trainable;
    BatchedPotential& potential;
    double kT;
    Settings settings;
    const ProcessGroup& group;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_COORDINATEANNEALING_H_*/
