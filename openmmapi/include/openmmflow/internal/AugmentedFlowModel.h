#ifndef OPENMMFLOW_AUGMENTEDFLOWMODEL_H_
#define OPENMMFLOW_AUGMENTEDFLOWMODEL_H_

#include <utility>
#include <vector>

#include "openmmflow/internal/FlowModel.h"

namespace OpenMMFlow {

/**
 * A flow over the joint configurations (x, a) of N particles and of one or more augmented copies a of them,
 * in two or three dimensions: its particles, its base distribution, and the conditional distribution of a.
 *
 * Base: x is Gaussian on the subspace of zero centre, with the precision matrix of harmonic bonds, or the
 * same for all particles; a is Gaussian around x. Target: pi(a|x) is Gaussian around x. Lengths are in nm.
 */
class AugmentedFlowModel : public FlowModel {
public:
    struct Particles {
        /** The type of each particle, 0, 1, ...: particles of one type are interchangeable. */
        std::vector<int> types;
        int dimensions = 3;
        /** The number of augmented copies of the particles. */
        int copies = 1;
        /** The standard deviation of each coordinate of pi(a|x). */
        double augmentedScale = 0.1;
    };
    struct Base {
        /** Harmonic bonds, which connect all particles; none: every particle is bound to the centre. */
        std::vector<std::pair<int, int>> bonds;
        /** The standard deviation of each coordinate that one bond, or the tie to the centre, alone allows.
         */
        double scale = 1.0;
        /** The standard deviation of each coordinate of a around x. */
        double augmentedScale = 0.1;
    };
    int getNumParticles() const override { return (int)particles.types.size(); }
    int getNumAugmentedParticles() const override { return particles.copies * getNumParticles(); }
    const Particles& getParticles() const { return particles; }
    const Base& getBase() const { return base; }
    int getNumTypes() const { return numTypes; }
    /** Get the precision matrix (N, N) of one coordinate of x in the base, in 1/nm^2. */
    const std::vector<double>& getPrecision() const { return precision; }
    /**
     * Get the matrix (N, N), upper triangular, in nm, that makes a sample of one coordinate of x in the base
     * from N standard normal numbers, up to its centre, which is to be removed.
     */
    const std::vector<double>& getSamplingMatrix() const { return samplingMatrix; }
    /** Get the logarithm of the normalising constant of the base over (x, a), in nm. */
    double getLogNormalization() const { return logNormalization; }
    /**
     * Get log pi(a|x) of a joint configuration (N+A, 3), and add its gradient, times `factor`, to `gradient`
     * unless that is null.
     */
    double computeLogConditional(const double* positions, double* gradient = nullptr,
                                 double factor = 1) const;

protected:
    /** Check everything, and prepare the base. */
    AugmentedFlowModel(const Particles& particles, const Base& base);

private:
    void prepareBase();
    Particles particles;
    Base base;
    int numTypes;
    std::vector<double> precision, samplingMatrix;
    double logNormalization;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_AUGMENTEDFLOWMODEL_H_*/
