#include "openmmflow/BatchedPotential.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>

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
#include "openmm/serialization/XmlSerializer.h"
#include "openmmflow/internal/ContextMutex.h"
#include "openmmflow/internal/KernelProperties.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

/** Configurations that a thread takes at once: few enough to balance, enough that the counter is not fought
 * over. */
const long long CHUNK = 16;

template <class... Forces>
bool isOneOf(const Force& force) {
    return (... || (dynamic_cast<const Forces*>(&force) != nullptr));
}

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

Platform* findCpuPlatform() {
    for (int i = 0; i < Platform::getNumPlatforms(); i++)
        if (Platform::getPlatform(i).getName() == "CPU")
            return &Platform::getPlatform(i);
    return nullptr;
}

Platform& choosePlatform(const System& system) {
    Platform* cpu = findCpuPlatform();
    return cpu == nullptr || isCheapOnReference(system) ? Platform::getPlatformByName("Reference") : *cpu;
}

/** What OpenMM itself would use, and so what OPENMM_CPU_THREADS says. */
string getDefaultThreads() {
    const Platform* cpu = findCpuPlatform();
    return cpu == nullptr ? to_string(max(1u, thread::hardware_concurrency()))
                          : cpu->getPropertyDefaultValue("Threads");
}

/** One Context. It is locked against others only while it comes and goes. */
class Replica {
public:
    Replica(const System& system, Platform& platform, const map<string, string>& properties)
        : integrator(0.001), positions(system.getNumParticles()) {
        lock_guard<mutex> lock(getContextMutex());
        context = make_unique<Context>(system, integrator, platform, properties);
    }
    ~Replica() {
        lock_guard<mutex> lock(getContextMutex());
        context.reset();
    }
    /** Compute the energy, and the forces unless `forces` is null. */
    void evaluate(const double* coordinates, double& energy, double* forces) {
        const size_t size = 3 * positions.size();
        energy = numeric_limits<double>::quiet_NaN();
        if (forces != nullptr)
            fill(forces, forces + size, energy);
        // A platform with a neighbour list may not survive these.
        if (!all_of(coordinates, coordinates + size, [](double x) { return isfinite(x); }))
            return;
        for (size_t i = 0; i < positions.size(); i++)
            positions[i] = Vec3(coordinates[3 * i], coordinates[3 * i + 1], coordinates[3 * i + 2]);
        try {
            context->setPositions(positions);
            const State state = context->getState(State::Energy | (forces == nullptr ? 0 : State::Forces));
            energy = state.getPotentialEnergy();
            if (forces != nullptr)
                for (size_t i = 0; i < positions.size(); i++)
                    for (int j = 0; j < 3; j++)
                        forces[3 * i + j] = state.getForces()[i][j];
        } catch (const OpenMMException& e) {
            // A coordinate or an energy that becomes NaN on the way concerns this configuration only, which
            // stays NaN. All else, such as a fault in a PythonForce, would be hidden by going on.
            if (string(e.what()).find("NaN") == string::npos)
                throw;
        }
    }

private:
    VerletIntegrator integrator;
    unique_ptr<Context> context;
    vector<Vec3> positions;
};

}  // namespace

struct BatchedPotential::Implementation {
    Implementation(const System& original, Platform& platform, const map<string, string>& properties)
        : system(XmlSerializer::clone(original)), platformName(platform.getName()) {
        if (system->getNumParticles() == 0)
            throw OpenMMException("The System has no particles.");
        map<string, string> contextProperties = properties;
        contextProperties.erase("Threads");
        const bool isOnProcessor = platformName == "Reference" || platformName == "CPU";
        map<string, string> own = {{"Threads", isOnProcessor ? getDefaultThreads() : "1"}};
        if (properties.count("Threads") != 0)
            own["Threads"] = properties.at("Threads");
        if (platformName == "CPU")
            contextProperties["Threads"] = "1";
        const int threads = getThreads(own);
        for (int i = 0; i < threads; i++)
            replicas.push_back(make_unique<Replica>(*system, platform, contextProperties));
    }
    void evaluate(const vector<double>& positions, vector<double>& energies, vector<double>* forces) {
        const size_t size = 3 * system->getNumParticles();
        if (positions.size() % size != 0)
            throw OpenMMException("The System has " + to_string(system->getNumParticles())
                                  + " particles, so positions must hold " + to_string(size)
                                  + " numbers for each configuration; " + to_string(positions.size())
                                  + " is not a multiple of that.");
        const long long count = positions.size() / size;
        energies.resize(count);
        if (forces != nullptr)
            forces->resize(positions.size());
        const int workers = (int)min<long long>(replicas.size(), (count + CHUNK - 1) / CHUNK);
        atomic<long long> next(0);
        vector<exception_ptr> errors(workers);
        auto work = [&](int worker) {
            try {
                for (long long start = next.fetch_add(CHUNK); start < count; start = next.fetch_add(CHUNK))
                    for (long long k = start; k < min(start + CHUNK, count); k++)
                        replicas[worker]->evaluate(&positions[k * size], energies[k],
                                                   forces == nullptr ? nullptr : &(*forces)[k * size]);
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

    unique_ptr<System> system;
    string platformName;
    vector<unique_ptr<Replica>> replicas;
};

BatchedPotential::BatchedPotential(const System& system, const map<string, string>& properties)
    : impl(make_unique<Implementation>(system, choosePlatform(system), properties)) {}

BatchedPotential::BatchedPotential(const System& system, Platform& platform,
                                   const map<string, string>& properties)
    : impl(make_unique<Implementation>(system, platform, properties)) {}

BatchedPotential::~BatchedPotential() = default;

int BatchedPotential::getNumParticles() const {
    return impl->system->getNumParticles();
}

string BatchedPotential::getImplementation() const {
    const size_t threads = impl->replicas.size();
    return "contexts: " + impl->platformName + ", " + to_string(threads)
           + (threads == 1 ? " thread" : " threads");
}

vector<double> BatchedPotential::computeEnergies(const vector<double>& positions) {
    vector<double> energies;
    impl->evaluate(positions, energies, nullptr);
    return energies;
}

void BatchedPotential::computeEnergiesAndForces(const vector<double>& positions, vector<double>& energies,
                                                vector<double>& forces) {
    impl->evaluate(positions, energies, &forces);
}

}  // namespace OpenMMFlow
