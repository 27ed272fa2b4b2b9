#include "BatchLikelihood.h"

#include <ATen/ATen.h>

double OpenMMFlow::computeBatchLikelihood(const TrainableFlow& trainable, at::Tensor& parameters,
                                          const Frames& frames, const std::vector<int64_t>& batch,
                                          int64_t first, const ProcessGroup& group) {
    const ProcessGroup::Share share = group.getShare((int64_t)batch.size());
    const double fraction = (double)share.count / (double)batch.size(),
                 average = trainable.computeGradient(parameters, frames, group.selectShare(batch),
                                                     first + share.first);
    parameters.mutable_grad().mul_(fraction);
    return group.sum(fraction * average);
}
