#ifndef OPENMMFLOW_BATCHORDER_H_
#define OPENMMFLOW_BATCHORDER_H_

#include <cstdint>
#include <vector>

namespace OpenMMFlow {

/** A random permutation of 0 ... count-1 that depends on nothing but its arguments. */
std::vector<int64_t> makePermutation(int64_t count, uint32_t seed, uint32_t stream);

/**
 * Which frames each step of training uses: the data in a new random order in each epoch, cut into batches
 * without regard to where an epoch ends. Step s is the same whatever came before, so that a resumed run needs
 * no state but s.
 */
class BatchOrder {
public:
    BatchOrder(int64_t numFrames, int64_t batchSize, uint32_t seed)
        : numFrames(numFrames), batchSize(batchSize), seed(seed) {}
    std::vector<int64_t> getBatch(int64_t step);

private:
    int64_t numFrames, batchSize;
    uint32_t seed;
    int64_t epoch = -1;
    std::vector<int64_t> order;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_BATCHORDER_H_*/
