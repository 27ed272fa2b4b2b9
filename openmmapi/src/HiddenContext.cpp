#include "openmmflow/internal/HiddenContext.h"

#include <mutex>

#include "openmm/Force.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/internal/ContextMutex.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

/** The way in which OpenMM lets plugins reach the implementation of a Context: through a Force. */
class ContextImplAccess : public Force {
public:
    ContextImpl& get(Context& context) { return getContextImpl(context); }

protected:
    ForceImpl* createImpl() const override {
        throw OpenMMException("This Force is never added to a System.");
    }
};

}  // namespace

HiddenContext::HiddenContext(Platform& platform) : integrator(0.001) {
    system.addParticle(1.0);
    system.addParticle(1.0);
    lock_guard lock(getContextMutex());
    context = make_unique<Context>(system, integrator, platform);
}

HiddenContext::~HiddenContext() {
    lock_guard lock(getContextMutex());
    context.reset();
}

ContextImpl& HiddenContext::getImpl() {
    return ContextImplAccess().get(*context);
}

}  // namespace OpenMMFlow
