#include "CpuFlowGradientKernel.h"

#include <algorithm>

#include "CpuProperties.h"
#include "InstructionSets.h"
#include "openmm/OpenMMException.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

void CpuFlowGradientKernel::initialize(const Flow& flow, const map<string, string>& given) {
    const map<string, string> properties = completeCpuProperties(given);
    source = make_unique<const Flow>(flow);
    numPositions = flow.getNumParticles() + flow.getNumAugmentedParticles();
    auto create = reinterpret_cast<CreateFlow*>(
        loadInstructionSet("OpenMMFlowCPU", properties.at("InstructionSet"), "openmmflowCreateFlow"));
    this->flow.reset(create(source->getModel(), properties.at("Precision") == "double"));
    const int numThreads = stoi(properties.at("Threads"));
    for (int i = 0; i < numThreads && this->flow; i++)
        blocks.push_back(this->flow->createGradientBlock());
    if (!this->flow || !blocks[0])
        throw OpenMMException("The CPU platform cannot train a flow of the family \"" + flow.getFamily()
                              + "\".");
    threads = make_unique<ThreadPool>(numThreads);
}

void CpuFlowGradientKernel::setParameters(const vector<double>& parameters) {
    numParameters = parameters.size();
    flow->setParameters(parameters.data());
}

void CpuFlowGradientKernel::compute(long long count, const double* positions, const double* worth,
                                    double penaltyWorth, double* logQ, double* penalty, double* gradient) {
    const long long size = blocks[0]->getGradientBlockSize(), numTiles = (count + size - 1) / size,
                    numThreads = blocks.size();
    threads->execute([&](ThreadPool& pool, int thread) {
        for (long long tile = thread; tile < numTiles; tile += numThreads) {
            const long long start = tile * size;
            blocks[thread]->addGradient((int)min(size, count - start), positions + 3 * numPositions * start,
                                        worth + start, penaltyWorth, logQ + start, penalty + start);
        }
        pool.syncThreads();
        // Every thread adds up a part of what all of them have.
        const size_t first = numParameters * thread / numThreads,
                     last = numParameters * (thread + 1) / numThreads;
        fill(gradient + first, gradient + last, 0.0);
        for (const auto& block : blocks)
            block->moveGradient(gradient, first, last);
    });
    threads->waitForThreads();
    threads->resumeThreads();
    threads->waitForThreads();
}

}  // namespace OpenMMFlow
