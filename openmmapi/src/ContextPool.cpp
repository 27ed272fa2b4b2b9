#include "ContextPool.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>

#include "ForceTypes.h"
#include "NotANumber.h"
#include "RealParticles.h"
#include "openmm/CMAPTorsionForce.h"
#include "openmm/CMMotionRemover.h"
#include "openmm/Context.h"
#include "openmm/CustomAngleForce.h"
#include "openmm/CustomBondForce.h"
#include "openmm/CustomTorsionForce.h"
#include "openmm/GBSAOBCForce.h"
#include "openmm/HarmonicAngleForce.h"
#include "openmm/HarmonicBondForce.h"
#include "openmm/NonbondedForce.h"
#include "openmm/OpenMMException.h"
#include "openmm/PeriodicTorsionForce.h"
#include "openmm/RBTorsionForce.h"
#include "openmm/State.h"
#include "openmm/VerletIntegrator.h"
#include "openmmflow/internal/ContextMutex.h"
#include "openmmflow/internal/KernelProperties.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

/** Configurations that a thread takes at once: few enough to balance, enough that the counter is not fought
 * over. */
const long long CHUNK = 16;

/**
 * Whether Reference, which has little overhead, beats CPU, which is vectorised within one copy. Measured:
 * with a NonbondedForce they are equal at 60 particles, with a GBSAOBCForce too at 35.
 */
bool isCheapOnReference(const System& system) {
    int maxParticles = 60;
    for (int i = 0; i < system.getNumForces(); i++) {
        const Force& force = system.getForce(i);
        if (isOneOf<GBSAOBCForce>(force))
            maxParticles = 35;
        else if (!isOneOf<HarmonicBondForce, HarmonicAngleForce, PeriodicTorsionForce, RBTorsionForce,
                          CMAPTorsionForce, CustomBondForce, CustomAngleForce, CustomTorsionForce,
                          NonbondedForce, CMMotionRemover>(force))
            return false;
    }
    return system.getNumParticles() <= maxParticles && !system.usesPeriodicBoundaryConditions();
}

}  // namespace

/** One Context. It is locked against others only while it comes and goes. */
class ContextPool::Replica {
public:
    Replica(const System& system, Platform& platform, const map<string, string>& properties)
        : integrator(0.001), positions(system.getNumParticles()), realParticles(findRealParticles(system)) {
        lock_guard lock(getContextMutex());
        context = make_unique<Context>(system, integrator, platform, properties);
    }
    ~Replica() {
        lock_guard lock(getContextMutex());
        context.reset();
    }
    Context& getContext() { return *context; }
    void setForceGroups(int groups) { this->groups = groups; }
    /** Compute the energy, and the forces unless `forces` is null. */
    void evaluate(const double* coordinates, double& energy, double* forces) {
        const size_t size = 3 * positions.size();
        energy = numeric_limits<double>::quiet_NaN();
        if (forces != nullptr)
            fill(forces, forces + size, energy);
        // A platform with a neighbour list may not survive these.
        if (!areFinite(realParticles, coordinates))
            return;
        for (int i : realParticles)
            positions[i] = Vec3(coordinates[3 * i], coordinates[3 * i + 1], coordinates[3 * i + 2]);
        try {
            context->setPositions(positions);
            if (realParticles.size() < positions.size())
                context->computeVirtualSites();
            const State state =
                context->getState(State::Energy | (forces == nullptr ? 0 : State::Forces), false, groups);
            energy = state.getPotentialEnergy();
            if (forces != nullptr)
                for (size_t i = 0; i < positions.size(); i++)
                    for (int j = 0; j < 3; j++)
                        forces[3 * i + j] = state.getForces()[i][j];
        } catch (const OpenMMException& e) {
            if (!isAboutNaN(e))
                throw;
        }
    }

private:
    VerletIntegrator integrator;
    unique_ptr<Context> context;
    vector<Vec3> positions;
    vector<int> realParticles;
    int groups = -1;
};

ContextPool::ContextPool(const System& system, Platform& platform, const map<string, string>& properties)
    : numCoordinates(3 * system.getNumParticles()) {
    map<string, string> own, contextProperties;
    for (const auto& property : properties)
        (property.first == "Threads" ? own : contextProperties).insert(property);
    const bool isOnProcessor = platform.getName() == "Reference" || platform.getName() == "CPU";
    if (!isOnProcessor)
        own.insert({"Threads", "1"});
    if (platform.getName() == "CPU")
        contextProperties["Threads"] = "1";
    const int threads = getThreads(own);
    for (int i = 0; i < threads; i++)
        replicas.push_back(make_unique<Replica>(system, platform, contextProperties));
}

ContextPool::~ContextPool() = default;

int ContextPool::getNumThreads() const {
    return replicas.size();
}

const map<string, double>& ContextPool::getParameters() const {
    return replicas[0]->getContext().getParameters();
}

void ContextPool::setParameter(const string& name, double value) {
    for (auto& replica : replicas)
        replica->getContext().setParameter(name, value);
}

void ContextPool::setForceGroups(int groups) {
    for (auto& replica : replicas)
        replica->setForceGroups(groups);
}

void ContextPool::compute(long long count, const double* positions, double* energies, double* forces) {
    const int workers = (int)min<long long>(replicas.size(), (count + CHUNK - 1) / CHUNK);
    atomic<long long> next(0);
    vector<exception_ptr> errors(workers);
    auto work = [&](int worker) {
        try {
            for (long long start = next.fetch_add(CHUNK); start < count; start = next.fetch_add(CHUNK))
                for (long long k = start; k < min(start + CHUNK, count); k++)
                    replicas[worker]->evaluate(positions + k * numCoordinates, energies[k],
                                               forces == nullptr ? nullptr : forces + k * numCoordinates);
        } catch (...) {
            errors[worker] = current_exception();
        }
    };
    {
        vector<jthread> threads;
        for (int worker = 1; worker < workers; worker++)
            threads.emplace_back(work, worker);
        if (workers > 0)
            work(0);
    }
    for (const exception_ptr& error : errors)
        if (error != nullptr)
            rethrow_exception(error);
}

Platform& choosePoolPlatform(const System& system) {
    Platform* cpu = findCpuPlatform();
    return cpu == nullptr || isCheapOnReference(system) ? Platform::getPlatformByName("Reference") : *cpu;
}

}  // namespace OpenMMFlow
