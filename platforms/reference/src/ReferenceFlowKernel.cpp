#include "ReferenceFlowKernel.h"

#include "ReferenceCouplingFlow.h"
#include "ReferenceInternalFlow.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/internal/CouplingModel.h"
#include "openmmflow/internal/KernelProperties.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

void ReferenceFlowKernel::initialize(const Flow& flow, const map<string, string>& properties) {
    getPrecision(completeProperties("Reference", properties, getProperties()), {"double"});
    numPositions = flow.getNumParticles() + flow.getNumAugmentedParticles();
    if (dynamic_cast<const InternalFlowModel*>(&flow.getModel()) != nullptr)
        this->flow = make_unique<ReferenceInternalFlow>(flow);
    else if (dynamic_cast<const CouplingModel*>(&flow.getModel()) != nullptr)
        this->flow = make_unique<ReferenceCouplingFlow>(flow);
    else
        throw OpenMMException("The Reference platform cannot evaluate a flow of the family \""
                              + flow.getFamily() + "\".");
}

map<string, string> ReferenceFlowKernel::getProperties() const {
    return {{"Precision", "double"}};
}

void ReferenceFlowKernel::sample(long long count, uint64_t seed, uint64_t first, double* positions,
                                 double* logQ) {
    for (long long i = 0; i < count; i++)
        logQ[i] = flow->sample(seed, first + i, positions + 3 * numPositions * i);
}

void ReferenceFlowKernel::computeLogDensity(long long count, const double* positions, double* logQ) {
    for (long long i = 0; i < count; i++)
        logQ[i] = flow->computeLogDensity(positions + 3 * numPositions * i, nullptr);
}

void ReferenceFlowKernel::computeLogDensityGradient(long long count, const double* positions, double* logQ,
                                                    double* gradient) {
    for (long long i = 0; i < count; i++)
        logQ[i] = flow->computeLogDensity(positions + 3 * numPositions * i, gradient + 3 * numPositions * i);
}

}  // namespace OpenMMFlow
