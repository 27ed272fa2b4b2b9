#ifndef OPENMMFLOW_BOLTZMANNGENERATORFORCEIMPL_H_
#define OPENMMFLOW_BOLTZMANNGENERATORFORCEIMPL_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "openmm/Kernel.h"
#include "openmm/internal/CustomCPPForceImpl.h"
#include "openmmflow/BoltzmannGeneratorForce.h"
#include "openmmflow/FlowContext.h"

namespace OpenMMFlow {

/** A BoltzmannGeneratorForce in a Context. It is computed on the host, in the same way on every platform. */
class BoltzmannGeneratorForceImpl : public OpenMM::CustomCPPForceImpl {
public:
    explicit BoltzmannGeneratorForceImpl(const BoltzmannGeneratorForce& owner);
    void initialize(OpenMM::ContextImpl& context) override;
    const BoltzmannGeneratorForce& getOwner() const override { return owner; }
    std::map<std::string, double> getDefaultParameters() override;
    /** Its particles belong together, so that no periodic box may tear them apart. */
    std::vector<std::pair<int, int>> getBondedParticles() const override;
    double computeForce(OpenMM::ContextImpl& context, const std::vector<OpenMM::Vec3>& positions,
                        std::vector<OpenMM::Vec3>& forces) override;

private:
    const BoltzmannGeneratorForce& owner;
    std::unique_ptr<FlowContext> flowContext;
    OpenMM::Kernel derivativeKernel;
    bool hasDerivatives = false;
    std::vector<double> gradient;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_BOLTZMANNGENERATORFORCEIMPL_H_*/
