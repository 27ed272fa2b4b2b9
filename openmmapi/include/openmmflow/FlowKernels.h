#ifndef OPENMMFLOW_FLOWKERNELS_H_
#define OPENMMFLOW_FLOWKERNELS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "openmm/KernelImpl.h"
#include "openmm/Platform.h"
#include "openmmflow/Flow.h"
#include "openmmflow/internal/PotentialModel.h"

namespace OpenMMFlow {

/**
 * This kernel evaluates a Flow on a Platform. Every method takes a batch: arrays whose first index is the
 * sample.
 *
 * Positions are joint configurations, (count, N+A, 3) in nm: the N particles, then the A augmented ones (none
 * for most families). What follows from the joint density (marginals, importance weights) is host code that
 * all platforms share.
 */
class FlowKernel : public OpenMM::KernelImpl {
public:
    static std::string Name() { return "OpenMMFlowFlow"; }
    FlowKernel(const std::string& name, const OpenMM::Platform& platform)
        : OpenMM::KernelImpl(name, platform) {}
    /**
     * Prepare to evaluate a Flow.
     *
     * @param flow         the Flow
     * @param properties   "Precision" (single, mixed or double) and "Threads"; a property that is absent has
     * the platform's default value
     */
    virtual void initialize(const Flow& flow, const std::map<std::string, std::string>& properties) = 0;
    /** Get the properties in effect, defaults included. */
    virtual std::map<std::string, std::string> getProperties() const = 0;
    /**
     * Draw samples first ... first+count-1 of a seed. Sample k is the same whatever the batch it is part of.
     *
     * @param positions  (count, N+A, 3): on exit, the samples, the centre of the N particles at the origin
     * @param logQ       (count): on exit, log q of each sample; +infinity for one that lies outside the
     * support of the flow, so that its importance weight is zero
     */
    virtual void sample(long long count, uint64_t seed, uint64_t first, double* positions, double* logQ) = 0;
    /**
     * Compute log q of configurations.
     *
     * @param positions  (count, N+A, 3)
     * @param logQ       (count): on exit, log q; -infinity outside the support, NaN where a position is not
     * finite
     */
    virtual void computeLogDensity(long long count, const double* positions, double* logQ) = 0;
    /**
     * Compute log q of configurations, and its gradient.
     *
     * @param gradient   (count, N+A, 3): on exit, d log q / d position, in 1/nm
     */
    virtual void computeLogDensityGradient(long long count, const double* positions, double* logQ,
                                           double* gradient) = 0;
    /**
     * Compute log q of a configuration, and its gradient, as a simulation asks for them: one at a time. A
     * platform may do so in another way than for a batch, to the same result but for round-off.
     *
     * @param positions  (N+A, 3)
     * @param gradient   (N+A, 3): on exit, as above; may be null
     */
    virtual double computeLogDensityOfOne(const double* positions, double* gradient) {
        double logQ;
        if (gradient == nullptr)
            computeLogDensity(1, positions, &logQ);
        else
            computeLogDensityGradient(1, positions, &logQ, gradient);
        return logQ;
    }
};

/**
 * This kernel computes what the training of an augmented flow needs: the gradient of log densities with
 * respect to the parameters of the flow. A platform need not have it.
 */
class FlowGradientKernel : public OpenMM::KernelImpl {
public:
    static std::string Name() { return "OpenMMFlowFlowGradient"; }
    FlowGradientKernel(const std::string& name, const OpenMM::Platform& platform)
        : OpenMM::KernelImpl(name, platform) {}
    /** Prepare to train a Flow; as FlowKernel::initialize(). */
    virtual void initialize(const Flow& flow, const std::map<std::string, std::string>& properties) = 0;
    /** Take other parameters from now on, in the order in which the flow's model has them. */
    virtual void setParameters(const std::vector<double>& parameters) = 0;
    /**
     * Compute log densities and penalties, and the gradient of
     * sum_s (worth[s] log q(s) + penaltyWorth penalty(s)) with respect to the parameters. It is the same on
     * each run, but for round-off if the number of threads is another.
     *
     * @param positions      (count, N+A, 3) in nm
     * @param worth          (count)
     * @param penaltyWorth   what each sample's penalty is worth; 0 to leave penalties out
     * @param logQ           (count): on exit, log q; not a finite number where there is no density, and the
     * gradient is not finite then
     * @param penalty        (count): on exit, the mean over all learned frames of -log(1 - |cos|) of the
     * angle between the vectors of a frame; 0 if they are left out, or frames have no two vectors
     * @param gradient       as many as there are parameters: on exit, the gradient
     */
    virtual void compute(long long count, const double* positions, const double* worth, double penaltyWorth,
                         double* logQ, double* penalty, double* gradient) = 0;
};

/**
 * This kernel computes what the training of an internal-coordinate flow needs, in its coordinates (count, D):
 * standardised linear ones, and circular ones in radians. A platform need not have it.
 */
class CoordinateTrainingKernel : public OpenMM::KernelImpl {
public:
    static std::string Name() { return "OpenMMFlowCoordinateTraining"; }
    CoordinateTrainingKernel(const std::string& name, const OpenMM::Platform& platform)
        : OpenMM::KernelImpl(name, platform) {}
    /** Prepare to train a Flow; as FlowKernel::initialize(). */
    virtual void initialize(const Flow& flow, const std::map<std::string, std::string>& properties) = 0;
    /** Take other parameters from now on, in the order in which the flow's model has them. */
    virtual void setParameters(const std::vector<double>& parameters) = 0;
    /**
     * Draw samples; as FlowKernel::sample().
     *
     * @param coordinates   (count, D): on exit, those of the samples
     * @param gradient      (count, D): on exit, the gradient by the coordinates of log q(x), with respect to
     * positions
     * @param adjoints      (count, couplings, D): on exit, what computeBalancedPathGradient() needs of how
     * that came about: for each coupling the derivative of log q by the coordinates that it transforms,
     * before it, and what it adds to the derivative by the others
     */
    virtual void sample(long long count, uint64_t seed, uint64_t first, double* positions,
                        double* coordinates, double* logQ, double* gradient, double* adjoints) = 0;
    /**
     * The same of samples that are given by their coordinates: compute positions (in any orientation), log
     * q(x) and its gradient by the coordinates.
     *
     * @param adjoints   null if they are not wanted
     */
    virtual void evaluate(long long count, const double* coordinates, double* positions, double* logQ,
                          double* gradient, double* adjoints) = 0;
    /**
     * Compute log densities with respect to the coordinates.
     *
     * @param logQ   (count): on exit, the log density
     */
    virtual void computeLogDensity(long long count, const double* coordinates, double* logQ) = 0;
    /**
     * The same, and the gradient of sum_s worth[s] log q(s) with respect to the parameters. It is the same on
     * each run, but for round-off if the number of threads is another.
     *
     * @param worth      (count)
     * @param gradient   as many as there are parameters: on exit, the gradient
     */
    virtual void computeLikelihoodGradient(long long count, const double* coordinates, const double* worth,
                                           double* logQ, double* gradient) = 0;
    /**
     * Compute the path gradient, by the parameters, of a divergence between the flow and another density p:
     * minus the sum over samples of w . df/dtheta, where f takes coordinates to the base and w is the
     * gradient by f(c) of log q - log p. For samples of the flow this is the gradient of the reverse
     * Kullback-Leibler divergence (Roeder, Wu and Duvenaud 2017, arXiv 1703.09194), for samples of p that of
     * the forward one (Vaitl et al. 2024, arXiv 2403.15881, whose recursion it uses). It vanishes for each
     * sample, not only on average, where both densities are the same.
     *
     * @param difference   (count, D): the gradient of log q - log p by the coordinates, times the weight of
     * each sample
     * @param gradient     as many as there are parameters: on exit, the gradient
     */
    virtual void computePathGradient(long long count, const double* coordinates, const double* difference,
                                     double* gradient) = 0;
    /**
     * Compute the path gradient plus the gradient of sum_s worth[s] log q(s) with respect to the parameters,
     * in the time of the former.
     *
     * @param adjoints   (count, couplings, D): what sample() or evaluate() gave with these samples
     * @param worth      (count)
     */
    virtual void computeBalancedPathGradient(long long count, const double* coordinates,
                                             const double* difference, const double* adjoints,
                                             const double* worth, double* gradient) = 0;
};

/** This kernel evaluates a PotentialModel for batches of configurations on a Platform. */
class BatchedPotentialKernel : public OpenMM::KernelImpl {
public:
    static std::string Name() { return "OpenMMFlowBatchedPotential"; }
    BatchedPotentialKernel(const std::string& name, const OpenMM::Platform& platform)
        : OpenMM::KernelImpl(name, platform) {}
    /**
     * Prepare to evaluate a model. May be called again with another one.
     *
     * @param model        the model; it must outlive the kernel, or the next call of this
     * @param properties   as for FlowKernel
     */
    virtual void initialize(const PotentialModel& model,
                            const std::map<std::string, std::string>& properties) = 0;
    /** Get the properties in effect, defaults included. */
    virtual std::map<std::string, std::string> getProperties() const = 0;
    /**
     * Compute energies and forces. What is wrong with one configuration does not affect the others.
     *
     * @param positions   (count, N, 3) in nm; those of virtual sites are computed, whatever is given for them
     * @param energies    (count): on exit, the energies in kJ/mol
     * @param forces      (count, N, 3): on exit, the forces in kJ/mol/nm; null if they are not wanted
     */
    virtual void compute(long long count, const double* positions, double* energies, double* forces) = 0;
};

/**
 * This kernel adds to the derivatives of the energy with respect to Context parameters, which a State
 * reports. OpenMM has no way to do so for a Force that is computed on the host (CustomCPPForceImpl): each
 * platform keeps them in a place of its own. A platform without this kernel does not report the derivatives
 * of such Forces.
 */
class ParameterDerivativeKernel : public OpenMM::KernelImpl {
public:
    static std::string Name() { return "OpenMMFlowParameterDerivative"; }
    ParameterDerivativeKernel(const std::string& name, const OpenMM::Platform& platform)
        : OpenMM::KernelImpl(name, platform) {}
    /**
     * Add to a derivative, during the computation of forces and energy.
     *
     * @param parameter    the name of the Context parameter
     * @param derivative   in kJ/mol for each unit of the parameter
     */
    virtual void add(OpenMM::ContextImpl& context, const std::string& parameter, double derivative) = 0;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FLOWKERNELS_H_*/
