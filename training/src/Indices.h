#ifndef OPENMMFLOW_INDICES_H_
#define OPENMMFLOW_INDICES_H_

#include <vector>

#include <ATen/ATen.h>

namespace OpenMMFlow {

/** Numbers as what Torch selects by. */
inline at::Tensor toIndices(const std::vector<int>& values) {
    return at::tensor(std::vector<int64_t>(values.begin(), values.end()), at::kLong);
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_INDICES_H_*/
