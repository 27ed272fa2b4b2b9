#include "BatchOrder.h"

#include <utility>

#include <Random123/philox.h>

using namespace OpenMMFlow;

std::vector<int64_t> OpenMMFlow::makePermutation(int64_t count, uint32_t seed, uint32_t stream) {
    std::vector<int64_t> order(count);
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    r123::Philox2x64 philox;
    for (int64_t i = count - 1; i > 0; i--) {
        uint64_t random = philox({{(uint64_t)i, stream}}, {{seed}})[0];
        // The high half of a product is uniform on 0 ... i, but for a bias of order i/2^64.
        std::swap(order[i], order[(int64_t)(((unsigned __int128)random * (uint64_t)(i + 1)) >> 64)]);
    }
    return order;
}

std::vector<int64_t> BatchOrder::getBatch(int64_t step) {
    std::vector<int64_t> batch(batchSize);
    for (int64_t i = 0; i < batchSize; i++) {
        int64_t position = step * batchSize + i;
        if (position / numFrames != epoch) {
            epoch = position / numFrames;
            order = makePermutation(numFrames, seed, (uint32_t)epoch);
        }
        batch[i] = order[position % numFrames];
    }
    return batch;
}
