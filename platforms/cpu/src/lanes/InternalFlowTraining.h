#ifndef OPENMMFLOW_INTERNALFLOWTRAINING_H_
#define OPENMMFLOW_INTERNALFLOWTRAINING_H_

#include <vector>

#include "InternalFlow.h"

namespace OpenMMFlow {
namespace LANE_NAMESPACE {

/** A block of samples of a flow in training, in its coordinates. */
class InternalFlowTraining : public InternalFlowBlock, public CpuTrainingBlock {
public:
    explicit InternalFlowTraining(const InternalFlow& flow);
    int getTrainingBlockSize() const override { return COLUMNS; }
    void sample(int count, uint64_t seed, uint64_t first, double* positions, double* coordinates,
                double* logQ, double* gradient, double* adjoints) override;
    void evaluate(int count, const double* coordinates, double* positions, double* logQ, double* gradient,
                  double* adjoints) override;
    void computeLogDensity(int count, const double* coordinates, double* logQ) override;
    void addLikelihoodGradient(int count, const double* coordinates, const double* worth,
                               double* logQ) override;
    void addPathGradient(int count, const double* coordinates, const double* difference,
                         const double* adjoints, const double* worth) override;
    void moveGradient(double* sum, size_t first, size_t last) override;

private:
    /** Fill (D, columns) from (count, D), or from such rows in a wider array; samples beyond the last have
     * zeros. */
    void load(Rows& rows, int count, int columns, const double* numbers, size_t parts = 1) const;
    void store(const Rows& rows, int count, double* numbers, size_t parts = 1) const;
    void loadWorths(int count, int columns, const double* worth);
    /** From coordinates to the base. */
    void invert(int columns, bool isKept);
    /** Store `kept` as CoordinateTrainingKernel has adjoints: on entry it has what all coordinates were worth
     * before the coupling. */
    void storeKept(size_t l, int count, double* adjoints);
    /** From coordinates, whose log density is there with its adjoint, to what sample() and evaluate() give.
     */
    void storeSamples(int count, double* positions, double* logQ, double* gradient);
    /** Add the derivative of what the volume has in log q. */
    void addVolumeGradient(int columns);

    WeightGradient weightGradient;
    Rows worths;
    /** Of one coupling, in the gradient of log q: what the coordinates that it transforms are worth before
     * it, and what it adds to what the others are worth. */
    Rows kept;
};

}  // namespace LANE_NAMESPACE
}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_INTERNALFLOWTRAINING_H_*/
