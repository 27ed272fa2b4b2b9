#include "CpuFlowKernel.h"

#include "CpuProperties.h"
#include "InstructionSets.h"
#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

void CpuFlowKernel::initialize(const Flow& flow, const map<string, string>& given) {
    properties = completeCpuProperties(given);
    source = make_unique<const Flow>(flow);
    numPositions = flow.getNumParticles() + flow.getNumAugmentedParticles();
    auto create = reinterpret_cast<CreateFlow*>(
        loadInstructionSet("OpenMMFlowCPU", properties["InstructionSet"], "openmmflowCreateFlow"));
    this->flow.reset(create(flow.getModel(), properties["Precision"] == "double"));
    if (!this->flow)
        throw OpenMMException("The CPU platform cannot evaluate a flow of the family \"" + flow.getFamily()
                              + "\".");
    const int numThreads = stoi(properties["Threads"]);
    for (int i = 0; i < numThreads; i++)
        blocks.push_back(this->flow->createBlock());
    threads = make_unique<BlockThreads>(numThreads);
}

map<string, string> CpuFlowKernel::getProperties() const {
    return properties;
}

void CpuFlowKernel::forEachBlock(long long count, const function<void(CpuFlowBlock&, long long, int)>& task) {
    // Where there is less than a tile for each thread, every thread has a part of one.
    const int tile = blocks[0]->getTileSize();
    const int multiple = count > tile * (long long)blocks.size() ? tile : 1;
    threads->forEachBlock(
        count, blocks[0]->getBlockSize(), multiple,
        [&](int thread, long long start, long long length) { task(*blocks[thread], start, (int)length); });
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

double CpuFlowKernel::computeLogDensityOfOne(const double* positions, double* gradient) {
    return blocks[0]->computeLogDensityOfOne(positions, gradient);
}

}  // namespace OpenMMFlow
