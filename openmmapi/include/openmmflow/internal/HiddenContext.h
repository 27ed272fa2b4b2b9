#ifndef OPENMMFLOW_HIDDENCONTEXT_H_
#define OPENMMFLOW_HIDDENCONTEXT_H_

#include <memory>

#include "openmm/Context.h"
#include "openmm/System.h"
#include "openmm/VerletIntegrator.h"
#include "openmm/internal/ContextImpl.h"

namespace OpenMMFlow {

/** A kernel needs a Context to live in. This one has two particles, because OpenCL on PoCL crashes with one.
 */
class HiddenContext {
public:
    explicit HiddenContext(OpenMM::Platform& platform);
    ~HiddenContext();
    HiddenContext(const HiddenContext&) = delete;
    HiddenContext& operator=(const HiddenContext&) = delete;
    OpenMM::ContextImpl& getImpl();

private:
    OpenMM::System system;
    OpenMM::VerletIntegrator integrator;
    std::unique_ptr<OpenMM::Context> context;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_HIDDENCONTEXT_H_*/
