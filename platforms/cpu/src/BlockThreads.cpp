#include "BlockThreads.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

void BlockThreads::forEachBlock(long long count, long long largest, int multiple,
                                const function<void(int, long long, long long)>& task) {
    // As many blocks as keep all threads busy to the end, which differ by one multiple at most.
    const long long numThreads = threads.getNumThreads();
    const long long units = (count + multiple - 1) / multiple, mostUnits = largest * numThreads / multiple;
    const long long rounds = (units + mostUnits - 1) / mostUnits;
    const long long numBlocks = min(units, rounds * numThreads);
    auto startOf = [&](long long block) {
        return min(count, (block * (units / numBlocks) + min(block, units % numBlocks)) * multiple);
    };
    atomic<long long> next(0);
    exception_ptr error;
    mutex errorMutex;
    auto work = [&](int thread) {
        try {
            for (long long block; (block = next.fetch_add(1)) < numBlocks;)
                task(thread, startOf(block), startOf(block + 1) - startOf(block));
        } catch (...) {
            lock_guard<mutex> lock(errorMutex);
            error = current_exception();
        }
    };
    if (numThreads == 1 || numBlocks <= 1)
        work(0);
    else {
        threads.execute([&](ThreadPool&, int thread) { work(thread); });
        threads.waitForThreads();
    }
    if (error)
        rethrow_exception(error);
}

}  // namespace OpenMMFlow
