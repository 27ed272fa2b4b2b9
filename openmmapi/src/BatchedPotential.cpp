#include "openmmflow/BatchedPotential.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>

#include "ContextPool.h"
#include "RealParticles.h"
#include "SpecialNumbers.h"
#include "openmm/Kernel.h"
#include "openmm/OpenMMException.h"
#include "openmmflow/FlowKernels.h"
#include "openmmflow/internal/ContextMutex.h"
#include "openmmflow/internal/HiddenContext.h"
#include "openmmflow/internal/KernelProperties.h"
#include "openmmflow/internal/OwnerProcess.h"
#include "openmmflow/internal/PotentialTranslator.h"
#include "potential/PotentialProof.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

/** With a cutoff, a Context with its neighbour list is the faster one beyond this number of particles ("make
 * crossover" in benchmarks/). */
const int MOST_PARTICLES_WITH_CUTOFF = 1500;
/** Without one it never is, as far as was measured; but pairs take memory. */
const int MOST_PARTICLES = 5000;

bool hasCutoff(const PotentialModel& model) {
    auto isCut = [](const auto& terms) { return isfinite(terms.cutoff); };
    return any_of(model.pairLists.begin(), model.pairLists.end(), isCut)
           || any_of(model.generalizedBorn.begin(), model.generalizedBorn.end(), isCut)
           || any_of(model.customTerms.begin(), model.customTerms.end(), isCut)
           || any_of(model.customBorn.begin(), model.customBorn.end(), isCut);
}

Platform* findFastestPlatform() {
    Platform* fastest = nullptr;
    for (int i = 0; i < Platform::getNumPlatforms(); i++) {
        Platform& platform = Platform::getPlatform(i);
        if (platform.supportsKernels({BatchedPotentialKernel::Name()})
            && (fastest == nullptr || platform.getSpeed() > fastest->getSpeed()))
            fastest = &platform;
    }
    return fastest;
}

}  // namespace

struct BatchedPotential::Implementation {
    Implementation(const System& original, Platform* platform, const map<string, string>& properties)
        : system(cloneSystem(original)), realParticles(findRealParticles(*system)) {
        if (system->getNumParticles() == 0)
            throw OpenMMException("The System has no particles.");
        const auto wanted = properties.find("Implementation");
        if (wanted != properties.end() && wanted->second != "batched" && wanted->second != "contexts")
            throw OpenMMException("The property Implementation must be batched or contexts, not \""
                                  + wanted->second + "\".");
        const map<string, string> others = without(properties, "Implementation");
        const bool wantsContexts = wanted != properties.end() && wanted->second == "contexts";
        const bool wantsBatches = wanted != properties.end() && !wantsContexts;
        const string reason =
            wantsContexts
                ? "as asked for"
                : translate(platform == nullptr ? findFastestPlatform() : platform, others, wantsBatches);
        if (reason.empty())
            return;
        if (wantsBatches)
            throw OpenMMException("This System cannot be evaluated in batches because of " + reason
                                  + ": leave out the property Implementation.");
        kernel.reset();
        // Of the two that are chosen from, only Reference has double precision.
        const bool wantsDouble = others.count("Precision") != 0 && others.at("Precision") == "double";
        Platform& chosen = platform != nullptr ? *platform
                           : wantsDouble       ? Platform::getPlatformByName("Reference")
                                               : choosePoolPlatform(*system);
        if (wantsDouble && chosen.getName() == "CPU")
            throw OpenMMException(
                "Energies come from Contexts, because of " + reason
                + ", and those of the CPU platform are in single precision: choose Reference.");
        map<string, string> poolProperties = without(others, "InstructionSet");
        if (!knows(chosen, "Precision"))
            poolProperties.erase("Precision");
        pool = make_unique<ContextPool>(*system, chosen, poolProperties);
        parameters = pool->getParameters();
        const int threads = pool->getNumThreads();
        description = chosen.getName() + ", " + (chosen.getName() == "CPU" ? "single, " : "")
                      + to_string(threads) + (threads == 1 ? " thread" : " threads");
        implementation = "contexts: " + reason;
        if (!wantsContexts)
            clog << "openmm-flow: energies come from OpenMM Contexts, one configuration at a time ("
                 << description << "), because of " << reason << "." << endl;
    }
    /** Set up the kernel. Returns why that cannot be, or nothing. */
    string translate(Platform* platform, map<string, string> properties, bool hasAnySize) {
        const string tooLarge = "its size, for which a Context is faster";
        if (platform == nullptr || !platform->supportsKernels({BatchedPotentialKernel::Name()}))
            return platform == nullptr
                       ? "openmm-flow's plugins, which are not loaded"
                       : "the platform " + platform->getName() + ", which has no kernel for batches";
        const int numParticles = system->getNumParticles();
        if (!hasAnySize && numParticles > MOST_PARTICLES)
            return tooLarge;
        if (platform->getName() == "Reference")
            properties.erase("Threads");
        try {
            parameters = getDefaultParameters();
            model = translatePotential(*system, parameters);
        } catch (const UntranslatableForce& e) {
            return e.what();
        }
        if (!hasAnySize && numParticles > MOST_PARTICLES_WITH_CUTOFF && hasCutoff(model))
            return tooLarge;
        hiddenContext = make_unique<HiddenContext>(*platform);
        kernel = make_unique<Kernel>(
            platform->createKernel(BatchedPotentialKernel::Name(), hiddenContext->getImpl()));
        getKernel().initialize(model, properties);
        const map<string, string> effective = getKernel().getProperties();
        const bool isSingle = effective.count("Precision") != 0 && effective.at("Precision") == "single";
        kernelProperties = properties;
        description = platform->getName();
        for (const char* name : {"Precision", "Threads"})
            if (effective.count(name) != 0)
                description += string(", ") + effective.at(name);
        implementation = "batched";
        const string reason =
            disprovePotential(*system, parameters, model, getKernel(), properties, isSingle ? 1e-4 : 1e-8);
        getKernel().initialize(model, properties);
        return reason;
    }
    map<string, double> getDefaultParameters() const {
        return ContextPool(*system, Platform::getPlatformByName("Reference"), {{"Threads", "1"}})
            .getParameters();
    }
    BatchedPotentialKernel& getKernel() { return kernel->getAs<BatchedPotentialKernel>(); }
    /** Translate again after a parameter or the choice of force groups has changed. */
    void update() {
        if (kernel == nullptr)
            return;
        model = translatePotential(*system, parameters, groups);
        getKernel().initialize(model, kernelProperties);
    }
    void compute(const vector<double>& positions, vector<double>& energies, vector<double>* forces) {
        owner.require("BatchedPotential");
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
        double* forceData = forces == nullptr ? nullptr : forces->data();
        if (kernel == nullptr)
            pool->compute(count, positions.data(), energies.data(), forceData);
        else
            getKernel().compute(count, positions.data(), energies.data(), forceData);
        // Terms may not depend on a position that is not finite.
        for (long long k = 0; k < count; k++)
            if (!areFinite(realParticles, &positions[k * size])) {
                energies[k] = notANumber;
                if (forces != nullptr)
                    fill_n(forces->begin() + k * size, size, notANumber);
            }
    }

    OwnerProcess owner;
    unique_ptr<System> system;
    vector<int> realParticles;
    map<string, double> parameters;
    int groups = -1;
    long long generation = 0;
    string implementation, description;
    PotentialModel model;
    map<string, string> kernelProperties;
    // The kernel goes before the Context that it lives in.
    unique_ptr<HiddenContext> hiddenContext;
    unique_ptr<Kernel> kernel;
    unique_ptr<ContextPool> pool;
};

BatchedPotential::BatchedPotential(const System& system, const map<string, string>& properties)
    : impl(make_unique<Implementation>(system, nullptr, properties)) {}

BatchedPotential::BatchedPotential(const System& system, Platform& platform,
                                   const map<string, string>& properties)
    : impl(make_unique<Implementation>(system, &platform, properties)) {}

BatchedPotential::~BatchedPotential() {
    if (!impl->owner.isCurrent())
        impl.release();
}

int BatchedPotential::getNumParticles() const {
    return impl->system->getNumParticles();
}

string BatchedPotential::getImplementation() const {
    return impl->implementation;
}

string BatchedPotential::getDescription() const {
    return (impl->kernel == nullptr ? "contexts: " : "batched: ") + impl->description;
}

const map<string, double>& BatchedPotential::getParameters() const {
    return impl->parameters;
}

long long BatchedPotential::getGeneration() const {
    return impl->generation;
}

void BatchedPotential::setParameter(const string& name, double value) {
    if (impl->parameters.count(name) == 0) {
        string names;
        for (const auto& parameter : impl->parameters)
            names += (names.empty() ? "" : ", ") + parameter.first;
        throw OpenMMException("No Force of the System has a global parameter '" + name + "'; "
                              + (names.empty() ? "there are none." : "there are: " + names + "."));
    }
    impl->generation++;
    impl->parameters[name] = value;
    if (impl->pool != nullptr)
        impl->pool->setParameter(name, value);
    impl->update();
}

void BatchedPotential::setForceGroups(int groups) {
    impl->generation++;
    impl->groups = groups;
    if (impl->pool != nullptr)
        impl->pool->setForceGroups(groups);
    impl->update();
}

vector<double> BatchedPotential::computeEnergies(const vector<double>& positions) {
    vector<double> energies;
    impl->compute(positions, energies, nullptr);
    return energies;
}

void BatchedPotential::computeEnergiesAndForces(const vector<double>& positions, vector<double>& energies,
                                                vector<double>& forces) {
    impl->compute(positions, energies, &forces);
}

}  // namespace OpenMMFlow
