#ifndef OPENMMFLOW_SAMPLEBUFFER_H_
#define OPENMMFLOW_SAMPLEBUFFER_H_

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "IntermediateTarget.h"

namespace OpenMMFlow {

class TensorFile;

/** The samples that an objective trains on for many steps, and all that the rest of a run depends on of how
 * they were made. */
struct SampleBuffer {
    /** D, which a state begins with. */
    int64_t numCoordinates = 0;
    /** (samples, D) in single precision, so that a checkpoint is small. */
    std::vector<double> coordinates;
    /** (samples): log q(x) of the flow that drew them, or, where weights are corrected, of that which used
     * them last. */
    std::vector<double> logQ;
    /** (samples) in kJ/mol; empty where weights are all that is needed. */
    std::vector<double> energies;
    /** (samples), up to a constant; empty where they follow from log q and the energies. */
    std::vector<double> logWeights;
    /** The parameters of the flow that drew them; none where that makes no difference. */
    at::Tensor proposal;
    /** What the samples are weighted towards. */
    IntermediateTarget target;
    /** The step that they were drawn at; -1 before any were. */
    int64_t firstStep = -1;
    /** How many samples were drawn so far, which random numbers depend on, and the place of the next one. */
    int64_t drawn = 0, next = 0;
    /** Of Hamiltonian Monte Carlo at each intermediate density. */
    std::vector<double> stepSizes;

    int64_t size() const { return (int64_t)logQ.size(); }
    /** Forget all samples and step sizes, but not how many were drawn. */
    void clear();
    /**
     * Check that there are samples as an objective keeps them.
     *
     * @param hasEnergies   whether it keeps their energies and the parameters of the flow that drew them, or
     * else their weights
     * @throws OpenMM::OpenMMException if a checkpoint had none
     */
    void require(bool hasEnergies) const;
    /** Add a weighted sample (D), in the place of the oldest one if there are so many. */
    void add(const double* sample, double sampleLogQ, double logWeight, int64_t capacity);
    void save(TensorFile& file) const;
    /**
     * Read what save() wrote.
     *
     * @param parameters   those of the flow, which the proposal's are like
     * @param step         how far the run has come
     * @throws OpenMM::OpenMMException if that makes no sense
     */
    void load(const TensorFile& file, const at::Tensor& parameters, int64_t step);
};

/** Take numbers to single precision. */
void roundToSingle(std::vector<double>& values);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_SAMPLEBUFFER_H_*/
