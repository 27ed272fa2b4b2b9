#ifndef OPENMMFLOW_PROCESSGROUP_H_
#define OPENMMFLOW_PROCESSGROUP_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace at {
class Tensor;
}
namespace c10d {
class Backend;
}

namespace OpenMMFlow {

/**
 * The processes that train a flow together, which torchrun starts with RANK, WORLD_SIZE, MASTER_ADDR and
 * MASTER_PORT in their environment. There is one, and nothing is sent, where WORLD_SIZE is 1 or missing.
 *
 * All processes create groups, and call what is not a getter, in the same order. When one of them is gone, or
 * silent for longer than the timeout, this throws an OpenMM::OpenMMException in the others. The timeout is
 * half an hour, or OPENMMFLOW_PROCESS_TIMEOUT in seconds, and for their first contact five minutes at most.
 */
class ProcessGroup {
public:
    /** Some of a sequence of items. */
    struct Share {
        int64_t first, count;
    };
    /** Numbers of all processes in the order of these. */
    struct Gathered {
        std::vector<double> values;
        /** Where those of this process are. */
        size_t first, count;
        /** Get those of this process from as many numbers, which may have been computed from the values. */
        std::vector<double> getOwn(const std::vector<double>& numbers) const {
            return {numbers.begin() + first, numbers.begin() + first + count};
        }
    };
    /** @throws OpenMM::OpenMMException if the environment makes no sense, or the others cannot be reached */
    ProcessGroup();
    /** The others notice when they wait for this process. */
    ~ProcessGroup();
    ProcessGroup(const ProcessGroup&) = delete;
    ProcessGroup& operator=(const ProcessGroup&) = delete;
    /** Get the number of this process, counted from 0. */
    int getRank() const { return rank; }
    int getSize() const { return size; }
    /** Get the share of this process in items: a contiguous one, in the order of processes. */
    Share getShare(int64_t count) const {
        const int64_t first = count * rank / size;
        return {first, count * (rank + 1) / size - first};
    }
    /** Get the share of this process from a sequence. */
    template <class Item>
    std::vector<Item> selectShare(const std::vector<Item>& items) const {
        const Share share = getShare((int64_t)items.size());
        return {items.begin() + share.first, items.begin() + share.first + share.count};
    }
    /** Add the tensors of all processes, in place: with the same bits in each. */
    void sum(at::Tensor& tensor) const;
    double sum(double value) const;
    /** Take the numbers of the first process, in place. */
    void copyFirst(at::Tensor& tensor) const;
    /** Get the largest of numbers. */
    int64_t max(int64_t value) const;
    /** Get the numbers of all processes, of which each may have any number. */
    Gathered gather(const std::vector<double>& values) const;
    /** Get what the first process gives. */
    std::string broadcast(const std::string& bytes) const;
    /** Get the number of threads for a process that is asked for so many, 0 being one per core: processes on
     * one machine share its cores. */
    static int getNumThreads(int threads);

private:
    void run(const std::function<void(c10d::Backend&)>& exchange) const;
    int rank = 0, size = 1;
    /** Null if there is one process. */
    struct Connections;
    std::unique_ptr<Connections> connections;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_PROCESSGROUP_H_*/
