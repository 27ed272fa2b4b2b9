#ifndef OPENMMFLOW_BLOCKTHREADS_H_
#define OPENMMFLOW_BLOCKTHREADS_H_

#include <functional>

#include "openmm/internal/ThreadPool.h"

namespace OpenMMFlow {

/** Shares out blocks of samples over threads. */
class BlockThreads {
public:
    explicit BlockThreads(int numThreads) : threads(numThreads) {}
    /**
     * Call task(thread, start, length) for all parts of `count` samples.
     *
     * @param largest    the most samples of a part, a multiple of `multiple`
     * @param multiple   of which the lengths shall be multiples, but for the last
     */
    void forEachBlock(long long count, long long largest, int multiple,
                      const std::function<void(int thread, long long start, long long length)>& task);

private:
    OpenMM::ThreadPool threads;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_BLOCKTHREADS_H_*/
