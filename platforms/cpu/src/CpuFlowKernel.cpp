#include "CpuFlowKernel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

#include "InstructionSets.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/internal/KernelProperties.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

void CpuFlowKernel::initialize(const Flow& flow, const map<string, string>& given) {
    const vector<string> instructionSets = getInstructionSets();
    properties = completeProperties("CPU", given,
                                    {{"Precision", "single"},
                                     {"Threads", getPlatform().getPropertyDefaultValue("Threads")},
                                     {"InstructionSet", instructionSets[0]}});
    const bool doublePrecision = getPrecision(properties, {"single", "double"}) == "double";
    const int numThreads = getThreads(properties);
    const string& instructionSet = properties["InstructionSet"];
    if (find(instructionSets.begin(), instructionSets.end(), instructionSet) == instructionSets.end())
        throw OpenMMException(
            "The property InstructionSet must be avx512, avx2 or portable, and one that this processor has, "
            "not \""
            + instructionSet + "\".");
    auto* model = dynamic_cast<const InternalFlowModel*>(&flow.getModel());
    if (model == nullptr)
        throw OpenMMException("The CPU platform cannot evaluate a flow of the family \"" + flow.getFamily()
                              + "\".");
    numPositions = flow.getNumParticles() + flow.getNumAugmentedParticles();
    auto create = reinterpret_cast<CreateInternalFlow*>(
        loadInstructionSet("OpenMMFlowCPU", instructionSet, "openmmflowCreateInternalFlow"));
    this->flow.reset(create(*model, doublePrecision));
    for (int i = 0; i < numThreads; i++)
        blocks.push_back(this->flow->createBlock());
    threads = make_unique<ThreadPool>(numThreads);
}

map<string, string> CpuFlowKernel::getProperties() const {
    return properties;
}

void CpuFlowKernel::forEachBlock(long long count, const function<void(CpuFlowBlock&, long long, int)>& task) {
    // As many blocks as keep all threads busy to the end, and none larger than its memory.
    const long long numThreads = blocks.size(), most = blocks[0]->getBlockSize();
    const long long rounds = (count + most * numThreads - 1) / (most * numThreads);
    const long long size = rounds == 0 ? most : (count + rounds * numThreads - 1) / (rounds * numThreads);
    atomic<long long> next(0);
    exception_ptr error;
    mutex errorMutex;
    threads->execute([&](ThreadPool&, int thread) {
        try {
            for (long long start; (start = next.fetch_add(size)) < count;)
                task(*blocks[thread], start, (int)min(size, count - start));
        } catch (...) {
            lock_guard<mutex> lock(errorMutex);
            error = current_exception();
        }
    });
    threads->waitForThreads();
    if (error)
        rethrow_exception(error);
}

void CpuFlowKernel::sample(long long count, uint64_t seed, uint64_t first, double* positions, double* logQ) {
    forEachBlock(count, [&](CpuFlowBlock& block, long long start, int length) {
        block.sample(length, seed, first + start, positions + 3 * numPositions * start, logQ + start);
    });
}

void CpuFlowKernel::computeLogDensity(long long count, const double* positions, double* logQ) {
    forEachBlock(count, [&](CpuFlowBlock& block, long long start, int length) {
        block.computeLogDensity(length, positions + 3 * numPositions * start, logQ + start, nullptr);
    });
}

void CpuFlowKernel::computeLogDensityGradient(long long count, const double* positions, double* logQ,
                                              double* gradient) {
    forEachBlock(count, [&](CpuFlowBlock& block, long long start, int length) {
        block.computeLogDensity(length, positions + 3 * numPositions * start, logQ + start,
                                gradient + 3 * numPositions * start);
    });
}

}  // namespace OpenMMFlow
