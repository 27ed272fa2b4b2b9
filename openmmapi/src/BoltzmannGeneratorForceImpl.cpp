#include "openmmflow/internal/BoltzmannGeneratorForceImpl.h"

#include <cmath>

#include "FlowParticles.h"
#include "openmm/OpenMMException.h"
#include "openmm/internal/ContextImpl.h"
#include "openmm/reference/SimTKOpenMMRealType.h"
#include "openmmflow/FlowKernels.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

BoltzmannGeneratorForceImpl::BoltzmannGeneratorForceImpl(const BoltzmannGeneratorForce& owner)
    : CustomCPPForceImpl(owner), owner(owner) {}

void BoltzmannGeneratorForceImpl::initialize(ContextImpl& context) {
    checkFlowParticles(owner.getFlow(), owner.getParticles(), context.getSystem(), true, owner.getName());
    CustomCPPForceImpl::initialize(context);
    flowContext = createDoublePrecisionContext(owner.getFlow(), "1");
    hasDerivatives = context.getPlatform().supportsKernels({ParameterDerivativeKernel::Name()});
    if (hasDerivatives)
        derivativeKernel = context.getPlatform().createKernel(ParameterDerivativeKernel::Name(), context);
}

map<string, double> BoltzmannGeneratorForceImpl::getDefaultParameters() {
    return {{owner.getScaleParameterName(), owner.getDefaultScale()}};
}

vector<pair<int, int>> BoltzmannGeneratorForceImpl::getBondedParticles() const {
    const vector<int>& particles = owner.getParticles();
    vector<pair<int, int>> bonds;
    for (size_t i = 1; i < particles.size(); i++)
        bonds.emplace_back(particles[i - 1], particles[i]);
    return bonds;
}

double BoltzmannGeneratorForceImpl::computeForce(ContextImpl& context, const vector<Vec3>& positions,
                                                 vector<Vec3>& forces) {
    const vector<int>& particles = owner.getParticles();
    const double kT = BOLTZ * owner.getTemperature(),
                 scale = context.getParameter(owner.getScaleParameterName());
    const double logQ =
        flowContext->computeJointLogDensityOfOne(gatherPositions(positions, particles), &gradient);
    if (hasDerivatives)
        derivativeKernel.getAs<ParameterDerivativeKernel>().add(context, owner.getScaleParameterName(),
                                                                -kT * logQ);
    fill(forces.begin(), forces.end(), Vec3());
    // Off the support infinity times zero is zero here: a Force that is switched off acts nowhere.
    if (scale == 0)
        return 0;
    if (!isfinite(logQ))
        throw OpenMMException(describeNoDensity(logQ, owner.getName()));
    for (size_t i = 0; i < particles.size(); i++)
        forces[particles[i]] = scale * kT * Vec3(gradient[3 * i], gradient[3 * i + 1], gradient[3 * i + 2]);
    return -scale * kT * logQ;
}

}  // namespace OpenMMFlow
