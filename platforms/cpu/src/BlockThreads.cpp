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
    // As many blocks as keep all threads busy to the end.
    const long long numThreads = threads.getNumThreads();
    const long long rounds = max(1LL, (count + largest * numThreads - 1) / (largest * numThreads));
    long long size = (count + rounds * numThreads - 1) / (rounds * numThreads);
    size = min(largest, max(1LL, (size + multiple - 1) / multiple * multiple));
    atomic<long long> next(0);
    exception_ptr error;
    mutex errorMutex;
    auto work = [&](int thread) {
        try {
            for (long long start; (start = next.fetch_add(size)) < count;)
                task(thread, start, min(size, count - start));
        } catch (...) {
            lock_guard<mutex> lock(errorMutex);
            error = current_exception();
        }
    };
    if (numThreads == 1 || count <= size)
        work(0);
    else {
        threads.execute([&](ThreadPool&, int thread) { work(thread); });
        threads.waitForThreads();
    }
    if (error)
        rethrow_exception(error);
}

}  // namespace OpenMMFlow
