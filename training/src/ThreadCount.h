#ifndef OPENMMFLOW_THREADCOUNT_H_
#define OPENMMFLOW_THREADCOUNT_H_

#include <thread>

#include <ATen/Parallel.h>

namespace OpenMMFlow {

/** Sets the number of Torch's threads, which belongs to the process, while it lives. */
class ThreadCount {
public:
    /** @param count   0 for one per core */
    explicit ThreadCount(int count) : before(at::get_num_threads()) {
        at::set_num_threads(count > 0 ? count : (int)std::thread::hardware_concurrency());
    }
    ~ThreadCount() { at::set_num_threads(before); }
    ThreadCount(const ThreadCount&) = delete;
    ThreadCount& operator=(const ThreadCount&) = delete;

private:
    int before;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_THREADCOUNT_H_*/
