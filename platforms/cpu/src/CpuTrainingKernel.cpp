#include "CpuTrainingKernel.h"

#include <algorithm>

#include "CpuProperties.h"
#include "InstructionSets.h"
#include "StripedBlocks.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/internal/InternalFlowModel.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

void CpuTrainingKernel::initialize(const Flow& flow, const map<string, string>& given) {
    const map<string, string> properties = completeCpuProperties(given);
    source = make_unique<const Flow>(flow);
    const auto* model = dynamic_cast<const InternalFlowModel*>(&source->getModel());
    if (model == nullptr)
        throw OpenMMException("Flows of the family \"" + flow.getFamily()
                              + "\" have no coordinates to be trained in.");
    numParticles = model->getNumParticles();
    numCoordinates = model->getCoordinates().getNumCoordinates();
    numAdjoints = model->getCouplings().size() * numCoordinates;
    numParameters = model->getParameters().size();
    auto create = reinterpret_cast<CreateFlow*>(
        loadInstructionSet("OpenMMFlowCPU", properties.at("InstructionSet"), "openmmflowCreateFlow"));
    this->flow.reset(create(*model, properties.at("Precision") == "double"));
    const int numThreads = stoi(properties.at("Threads"));
    for (int i = 0; i < numThreads; i++)
        blocks.push_back(this->flow->createTrainingBlock());
    threads = make_unique<ThreadPool>(numThreads);
}

void CpuTrainingKernel::setParameters(const vector<double>& parameters) {
    flow->setParameters(parameters.data());
}

template <class Work>
void CpuTrainingKernel::run(long long count, double* gradient, const Work& work) {
    // Small batches too are shared by all threads.
    const long long most = blocks[0]->getTrainingBlockSize(), numThreads = (long long)blocks.size();
    const long long rounds = max(1LL, (count + most * numThreads - 1) / (most * numThreads));
    const long long size = max(1LL, (count + rounds * numThreads - 1) / (rounds * numThreads));
    runStriped(*threads, blocks, count, size, gradient, numParameters, work);
}

void CpuTrainingKernel::sample(long long count, uint64_t seed, uint64_t first, double* positions,
                               double* coordinates, double* logQ, double* gradient, double* adjoints) {
    run(count, nullptr, [&](CpuTrainingBlock& block, long long start, int length) {
        block.sample(length, seed, first + start, positions + 3 * numParticles * start,
                     coordinates + numCoordinates * start, logQ + start, gradient + numCoordinates * start,
                     adjoints + numAdjoints * start);
    });
}

void CpuTrainingKernel::evaluate(long long count, const double* coordinates, double* positions, double* logQ,
                                 double* gradient, double* adjoints) {
    run(count, nullptr, [&](CpuTrainingBlock& block, long long start, int length) {
        block.evaluate(length, coordinates + numCoordinates * start, positions + 3 * numParticles * start,
                       logQ + start, gradient + numCoordinates * start,
                       adjoints == nullptr ? nullptr : adjoints + numAdjoints * start);
    });
}

void CpuTrainingKernel::computeLogDensity(long long count, const double* coordinates, double* logQ) {
    run(count, nullptr, [&](CpuTrainingBlock& block, long long start, int length) {
        block.computeLogDensity(length, coordinates + numCoordinates * start, logQ + start);
    });
}

void CpuTrainingKernel::computeLikelihoodGradient(long long count, const double* coordinates,
                                                  const double* worth, double* logQ, double* gradient) {
    run(count, gradient, [&](CpuTrainingBlock& block, long long start, int length) {
        block.addLikelihoodGradient(length, coordinates + numCoordinates * start, worth + start,
                                    logQ + start);
    });
}

void CpuTrainingKernel::computePathGradient(long long count, const double* coordinates,
                                            const double* difference, double* gradient) {
    run(count, gradient, [&](CpuTrainingBlock& block, long long start, int length) {
        block.addPathGradient(length, coordinates + numCoordinates * start,
                              difference + numCoordinates * start, nullptr, nullptr);
    });
}

void CpuTrainingKernel::computeBalancedPathGradient(long long count, const double* coordinates,
                                                    const double* difference, const double* adjoints,
                                                    const double* worth, double* gradient) {
    run(count, gradient, [&](CpuTrainingBlock& block, long long start, int length) {
        block.addPathGradient(length, coordinates + numCoordinates * start,
                              difference + numCoordinates * start, adjoints + numAdjoints * start,
                              worth + start);
    });
}

}  // namespace OpenMMFlow
