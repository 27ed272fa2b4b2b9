#include "ReferenceFlowGradientKernel.h"

#include <algorithm>

#include "openmm/OpenMMException.h"
#include "openmmflow/internal/CouplingModel.h"
#include "openmmflow/internal/KernelProperties.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

void ReferenceFlowGradientKernel::initialize(const Flow& flow, const map<string, string>& properties) {
    getPrecision(completeProperties("Reference", properties, {{"Precision", "double"}}), {"double"});
    const auto* model = dynamic_cast<const CouplingModel*>(&flow.getModel());
    if (model == nullptr)
        throw OpenMMException("The Reference platform cannot train a flow of the family \"" + flow.getFamily()
                              + "\".");
    numPositions = flow.getNumParticles() + flow.getNumAugmentedParticles();
    numParameters = model->getParameters().size();
    this->flow = make_unique<ReferenceCouplingFlow>(flow);
}

void ReferenceFlowGradientKernel::setParameters(const vector<double>& parameters) {
    flow->setParameters(parameters.data());
}

void ReferenceFlowGradientKernel::compute(long long count, const double* positions, const double* worth,
                                          double penaltyWorth, double* logQ, double* penalty,
                                          double* gradient) {
    fill_n(gradient, numParameters, 0.0);
    for (long long i = 0; i < count; i++)
        flow->addParameterGradient(positions + 3 * numPositions * i, worth[i], penaltyWorth, logQ[i],
                                   penalty[i], gradient);
}

}  // namespace OpenMMFlow
