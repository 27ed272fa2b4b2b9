#include "CpuFlowGradientKernel.h"

#include "CpuProperties.h"
#include "InstructionSets.h"
#include "StripedBlocks.h"
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
    runStriped(*threads, blocks, count, blocks[0]->getGradientBlockSize(), gradient, numParameters,
               [&](CpuGradientBlock& block, long long start, int length) {
                   block.addGradient(length, positions + 3 * numPositions * start, worth + start,
                                     penaltyWorth, logQ + start, penalty + start);
               });
}

}  // namespace OpenMMFlow
