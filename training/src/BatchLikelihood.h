#ifndef OPENMMFLOW_BATCHLIKELIHOOD_H_
#define OPENMMFLOW_BATCHLIKELIHOOD_H_

#include "TrainableFlow.h"
#include "openmmflow/internal/ProcessGroup.h"

namespace OpenMMFlow {

/**
 * Set the gradient of the parameters to this process's part of that of the likelihood on a batch, whose parts
 * add up to what TrainableFlow::computeGradient() sets.
 *
 * @param first   how many frames were trained on before
 * @return the average over the whole batch
 */
double computeBatchLikelihood(const TrainableFlow& trainable, at::Tensor& parameters, const Frames& frames,
                              const std::vector<int64_t>& batch, int64_t first, const ProcessGroup& group);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_BATCHLIKELIHOOD_H_*/
