#ifndef OPENMMFLOW_STRIPEDBLOCKS_H_
#define OPENMMFLOW_STRIPEDBLOCKS_H_

#include <algorithm>
#include <memory>
#include <vector>

#include "openmm/internal/ThreadPool.h"

namespace OpenMMFlow {

/**
 * Share out samples over threads, each of which has a block with the gradient of what it is given. Which
 * samples these are follows from their number alone, so that the sum is the same on each run.
 *
 * @param size            how many samples a block takes at once
 * @param gradient        (numParameters): on exit, the sum of the blocks' gradients; null if there is none
 * @param work            work(block, start, count)
 */
template <class Block, class Work>
void runStriped(OpenMM::ThreadPool& threads, const std::vector<std::unique_ptr<Block>>& blocks,
                long long count, long long size, double* gradient, size_t numParameters, const Work& work) {
    const long long numTiles = (count + size - 1) / size, numThreads = (long long)blocks.size();
    threads.execute([&](OpenMM::ThreadPool& pool, int thread) {
        for (long long tile = thread; tile < numTiles; tile += numThreads)
            work(*blocks[thread], tile * size, (int)std::min(size, count - tile * size));
        pool.syncThreads();
        if (gradient == nullptr)
            return;
        // Every thread adds up a part of what all of them have.
        const size_t first = numParameters * thread / numThreads,
                     last = numParameters * (thread + 1) / numThreads;
        std::fill(gradient + first, gradient + last, 0.0);
        for (const auto& block : blocks)
            block->moveGradient(gradient, first, last);
    });
    threads.waitForThreads();
    threads.resumeThreads();
    threads.waitForThreads();
}

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_STRIPEDBLOCKS_H_*/
