#include "CpuBatchedPotentialKernel.h"

#include "CpuProperties.h"
#include "InstructionSets.h"

using namespace std;

namespace OpenMMFlow {

namespace {

/** Configurations that a thread takes at once, and the most lanes that there are. */
const int LARGEST_BLOCK = 256, MOST_LANES = 16;

}  // namespace

void CpuBatchedPotentialKernel::initialize(const PotentialModel& model, const map<string, string>& given) {
    properties = completeCpuProperties(given);
    numCoordinates = 3 * model.numParticles;
    auto create = reinterpret_cast<CreatePotential*>(
        loadInstructionSet("OpenMMFlowCPU", properties["InstructionSet"], "openmmflowCreatePotential"));
    const int numThreads = stoi(properties["Threads"]);
    potentials.clear();
    for (int i = 0; i < numThreads; i++)
        potentials.emplace_back(create(model, properties["Precision"] == "double"));
    threads = make_unique<BlockThreads>(numThreads);
}

map<string, string> CpuBatchedPotentialKernel::getProperties() const {
    return properties;
}

void CpuBatchedPotentialKernel::compute(long long count, const double* positions, double* energies,
                                        double* forces) {
    threads->forEachBlock(
        count, LARGEST_BLOCK, MOST_LANES, [&](int thread, long long start, long long length) {
            potentials[thread]->compute(length, positions + numCoordinates * start, energies + start,
                                        forces == nullptr ? nullptr : forces + numCoordinates * start);
        });
}

}  // namespace OpenMMFlow
