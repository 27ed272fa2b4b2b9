#include "openmmflow/internal/ProcessGroup.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <ATen/ATen.h>
#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "openmm/OpenMMException.h"

using namespace OpenMMFlow;
using at::Tensor;
using OpenMM::OpenMMException;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const char* const advice =
    "; start the processes with torchrun, or unset WORLD_SIZE to train in one process.";

const char* getVariable(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr)
        throw OpenMMException(std::string("WORLD_SIZE asks for several processes, but ") + name
                              + " is not set" + advice);
    return value;
}

int readVariable(const char* name, int smallest, int largest) {
    const char *value = getVariable(name), *end = value + std::strlen(value);
    int number = 0;
    const auto [last, error] = std::from_chars(value, end, number);
    if (error != std::errc() || last != end || number < smallest || number > largest)
        throw OpenMMException(std::string(name) + " is \"" + value + "\", where a whole number from "
                              + std::to_string(smallest) + " to " + std::to_string(largest) + " is needed.");
    return number;
}

seconds readTimeout() {
    const char* const name = "OPENMMFLOW_PROCESS_TIMEOUT";
    const int aDay = 86400;
    return seconds(std::getenv(name) == nullptr ? 1800 : readVariable(name, 1, aDay));
}

/** The first line of an error of Gloo or c10d, without the place in their source. */
std::string toClause(std::string message) {
    message = message.substr(0, message.find('\n'));
    if (message.starts_with('['))
        message = message.substr(message.find("] ") + 2);
    return message.substr(0, message.find_last_not_of(". ") + 1);
}

/** While it lives, c10d leaves errors to the exceptions that it throws: its log takes a page for each. */
class QuietLog {
public:
    QuietLog() : before(FLAGS_caffe2_log_level) { FLAGS_caffe2_log_level = c10::GLOG_FATAL; }
    ~QuietLog() { FLAGS_caffe2_log_level = before; }

private:
    int before;
};

/** The store of a process, where groups find each other. It is never closed: others may still need it when
 * this process has no more use for it, and the system closes it at the end. */
c10::intrusive_ptr<c10d::Store> connect(int rank, int size, milliseconds timeout) {
    static c10::intrusive_ptr<c10d::Store>* const store = new c10::intrusive_ptr<c10d::Store>();
    if (*store)
        return *store;
    // As torch.distributed does: torchrun has a store of its own for its workers, unless it is told
    // otherwise.
    const char* value = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
    const bool ofTorchrun = value != nullptr && std::strcmp(value, "True") == 0;
    c10d::TCPStoreOptions options;
    options.port = (uint16_t)readVariable("MASTER_PORT", 1, 65535);
    options.isServer = rank == 0 && !ofTorchrun;
    options.numWorkers = size;
    options.multiTenant = true;
    options.timeout = std::min<milliseconds>(timeout, c10d::Store::kDefaultTimeout);
    *store = c10::make_intrusive<c10d::TCPStore>(getVariable("MASTER_ADDR"), options);
    return *store;
}

}  // namespace

struct ProcessGroup::Connections {
    seconds timeout;
    c10::intrusive_ptr<c10d::Backend> backend;
};

ProcessGroup::ProcessGroup() {
    if (std::getenv("WORLD_SIZE") == nullptr)
        return;
    size = readVariable("WORLD_SIZE", 1, 1 << 20);
    if (size == 1)
        return;
    rank = readVariable("RANK", 0, size - 1);
    const seconds timeout = readTimeout();
    static std::atomic<int> count = 0;
    try {
        const QuietLog quiet;
        const auto store = c10::make_intrusive<c10d::PrefixStore>("openmm-flow/" + std::to_string(count++),
                                                                  connect(rank, size, timeout));
        // Its interface and address are chosen as for torch.distributed, by GLOO_SOCKET_IFNAME too.
        const auto options = c10d::ProcessGroupGloo::Options::create_default(timeout);
        connections = std::make_unique<Connections>(
            Connections{timeout, c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options)});
    } catch (const OpenMMException&) {
        throw;
    } catch (const std::exception& error) {
        throw OpenMMException("Process " + std::to_string(rank) + " cannot reach the other "
                              + std::to_string(size - 1) + " at " + getVariable("MASTER_ADDR") + ":"
                              + getVariable("MASTER_PORT") + " (" + toClause(error.what()) + ")" + advice);
    }
}

ProcessGroup::~ProcessGroup() = default;

void ProcessGroup::run(const std::function<void(c10d::Backend&)>& exchange) const {
    try {
        exchange(*connections->backend);
    } catch (const std::exception& error) {
        throw OpenMMException("Process " + std::to_string(rank)
                              + " ends, since another has failed or was silent for "
                              + std::to_string(connections->timeout.count()) + " s (" + toClause(error.what())
                              + "); what that one says is the reason.");
    }
}

void ProcessGroup::sum(Tensor& tensor) const {
    if (size == 1)
        return;
    std::vector<Tensor> tensors{tensor};
    run([&](c10d::Backend& backend) { backend.allreduce(tensors)->wait(); });
}

double ProcessGroup::sum(double value) const {
    Tensor total = at::full({1}, value, at::kDouble);
    sum(total);
    return total.item<double>();
}

int64_t ProcessGroup::max(int64_t value) const {
    if (size == 1)
        return value;
    std::vector<Tensor> tensors{at::full({1}, value, at::kLong)};
    c10d::AllreduceOptions options;
    options.reduceOp = c10d::ReduceOp::MAX;
    run([&](c10d::Backend& backend) { backend.allreduce(tensors, options)->wait(); });
    return tensors[0].item<int64_t>();
}

ProcessGroup::Gathered ProcessGroup::gather(const std::vector<double>& values) const {
    if (size == 1)
        return {values, 0, values.size()};
    // Tensors of one size travel, behind which the numbers of each process may be fewer.
    const int64_t count = (int64_t)values.size(), largest = max(count);
    std::vector<Tensor> own{at::empty({largest + 1}, at::kDouble)};
    own[0][0] = (double)count;
    std::copy(values.begin(), values.end(), own[0].data_ptr<double>() + 1);
    std::vector<std::vector<Tensor>> all(1);
    for (int i = 0; i < size; i++)
        all[0].push_back(at::empty_like(own[0]));
    run([&](c10d::Backend& backend) { backend.allgather(all, own)->wait(); });
    Gathered gathered = {{}, 0, values.size()};
    for (int i = 0; i < size; i++) {
        const double* numbers = all[0][i].data_ptr<double>();
        if (i == rank)
            gathered.first = gathered.values.size();
        gathered.values.insert(gathered.values.end(), numbers + 1, numbers + 1 + (int64_t)numbers[0]);
    }
    return gathered;
}

void ProcessGroup::copyFirst(Tensor& tensor) const {
    if (size == 1)
        return;
    std::vector<Tensor> tensors{tensor};
    run([&](c10d::Backend& backend) { backend.broadcast(tensors)->wait(); });
}

std::string ProcessGroup::broadcast(const std::string& bytes) const {
    if (size == 1)
        return bytes;
    std::string result = bytes;
    result.resize(max(rank == 0 ? (int64_t)bytes.size() : 0));
    std::vector<Tensor> tensors{at::from_blob(result.data(), {(int64_t)result.size()}, at::kByte)};
    if (!result.empty())
        run([&](c10d::Backend& backend) { backend.broadcast(tensors)->wait(); });
    return result;
}

int ProcessGroup::getNumThreads(int threads) {
    const char* const name = "LOCAL_WORLD_SIZE";
    if (threads > 0 || std::getenv("WORLD_SIZE") == nullptr || std::getenv(name) == nullptr
        || std::getenv("OPENMM_CPU_THREADS") != nullptr)
        return threads;
    const int processes = readVariable(name, 1, 1 << 20);
    return processes == 1 ? 0 : std::max(1, (int)std::thread::hardware_concurrency() / processes);
}
