#include "openmmflow/FlowSampler.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>

#include "AnnealingPath.h"
#include "AnnealingPilot.h"
#include "AnnealingRun.h"
#include "AtomicFile.h"
#include "EnergyVerifier.h"
#include "FormatNumber.h"
#include "RemoveAverage.h"
#include "ReservePositions.h"
#include "Temperature.h"
#include "TranslationInvariance.h"
#include "openmm/OpenMMException.h"
#include "openmm/reference/SimTKOpenMMRealType.h"
#include "openmmflow/BatchedPotential.h"
#include "openmmflow/FlowBuilder.h"
#include "openmmflow/FlowContext.h"
#include "openmmflow/internal/AugmentedFlowModel.h"
#include "openmmflow/internal/ContextMutex.h"
#include "openmmflow/internal/EnsembleWriter.h"
#include "openmmflow/internal/KernelProperties.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

/** Samples between two calls of Progress: enough to keep all lanes of all threads busy. */
const long long SAMPLED_BLOCK = 4096;

map<string, string> getFlowProperties(const Platform& platform, map<string, string> properties) {
    const bool hasThreads = knows(platform, "Threads");
    erase_if(properties, [&](const auto& property) {
        return property.first != "Precision" && !(property.first == "Threads" && hasThreads);
    });
    return properties;
}

const System& checkTarget(const System& system, const Flow& flow, double temperature) {
    checkTemperature(temperature);
    if (system.getNumParticles() != flow.getNumParticles())
        throw OpenMMException("The System has " + to_string(system.getNumParticles())
                              + " particles and the flow has " + to_string(flow.getNumParticles())
                              + ": they must describe the same molecule.");
    FlowBuilder::checkSystem(system);
    return system;
}

void checkRange(long long count, uint64_t first) {
    if (count < 0)
        throw OpenMMException("The number of samples must not be negative.");
    if (first + (uint64_t)count < first)
        throw OpenMMException("Samples are numbered up to 2^64: start at a smaller first sample than "
                              + to_string(first) + ".");
}

/** Move the centre of geometry of each configuration to the origin. */
void moveToOrigin(vector<double>& positions, int numParticles) {
    for (size_t start = 0; start < positions.size(); start += 3 * numParticles)
        removeAverage(&positions[start], numParticles);
}

/** The temperature that a flow says it was made for; NaN if it does not say. */
double getFlowTemperature(const Flow& flow) {
    double temperature = numeric_limits<double>::quiet_NaN();
    const auto entry = flow.getMetadata().find("temperature");
    if (entry != flow.getMetadata().end())
        from_chars(entry->second.data(), entry->second.data() + entry->second.size(), temperature);
    return temperature;
}

}  // namespace

struct FlowSampler::Implementation {
    Implementation(const System& system, const Flow& flow, double temperature,
                   const map<string, string>& properties)
        : temperature(temperature),
          numParticles(flow.getNumParticles()),
          system(cloneSystem(checkTarget(system, flow, temperature))),
          potential(system, properties),
          context(flow, without(properties, "Implementation")) {
        describe();
    }
    Implementation(const System& system, const Flow& flow, double temperature, Platform& platform,
                   const map<string, string>& properties)
        : temperature(temperature),
          numParticles(flow.getNumParticles()),
          system(cloneSystem(checkTarget(system, flow, temperature))),
          potential(system, platform, properties),
          context(flow, platform, getFlowProperties(platform, properties)) {
        describe();
    }
    void describe() {
        metadata["flow"] = context.getFlow().getHash();
        metadata["system"] = FlowBuilder::hashSystem(*system);
        metadata["energies"] = potential.getDescription();
        metadata["proposals"] =
            context.getPlatform().getName() + ", " + context.getProperties().at("Precision");
        const double flowTemperature = getFlowTemperature(context.getFlow());
        if (abs(flowTemperature - temperature) > 1e-6 * temperature)
            metadata["flow_temperature"] = formatNumber(flowTemperature);
    }
    /** The reduced potentials of samples. Those off the support are not evaluated: they have weight zero
     * anyway. */
    vector<double> computeReducedPotentials(const vector<double>& positions, const vector<double>& logQ) {
        const size_t size = 3 * numParticles;
        vector<double> inside;
        for (size_t k = 0; k < logQ.size(); k++)
            if (isfinite(logQ[k]))
                inside.insert(inside.end(), &positions[k * size], &positions[k * size] + size);
        const vector<double> energies = potential.computeEnergies(inside);
        if (!isInvariant) {
            isInvariant = requireTranslationInvariance(potential, temperature, inside, energies);
            const auto* model = dynamic_cast<const AugmentedFlowModel*>(&context.getFlow().getModel());
            if (model != nullptr && model->getParticles().dimensions == 2)
                requirePlanarEnergy(potential, temperature, inside, energies);
        }
        if (verifier != nullptr)
            verifier->verify(inside, energies);
        vector<double> reduced(logQ.size(), numeric_limits<double>::infinity());
        auto energy = energies.begin();
        for (size_t k = 0; k < logQ.size(); k++)
            if (isfinite(logQ[k]))
                reduced[k] = *energy++ / (BOLTZ * temperature);
        return reduced;
    }
    WeightedEnsemble makeEnsemble(vector<double> positions, vector<double> logQ,
                                  vector<double> reducedPotentials) {
        WeightedEnsemble ensemble(numParticles, temperature, std::move(positions), std::move(logQ),
                                  std::move(reducedPotentials));
        addMetadata(ensemble);
        return ensemble;
    }
    void addMetadata(WeightedEnsemble& ensemble) const {
        for (const auto& [key, value] : metadata)
            ensemble.setMetadata(key, value);
    }
    /** Draw and weight samples block by block. `keep` takes their positions, which the ensemble does not
     * hold. */
    WeightedEnsemble sample(long long count, uint64_t seed, uint64_t first, const Progress& progress,
                            const function<void(const vector<double>&)>& keep) {
        vector<double> logQ, reducedPotentials, positions, blockLogQ;
        long long done = 0;
        while (done < count) {
            context.sample(min(SAMPLED_BLOCK, count - done), positions, blockLogQ, seed, first + done);
            const vector<double> blockPotentials = computeReducedPotentials(positions, blockLogQ);
            keep(positions);
            logQ.insert(logQ.end(), blockLogQ.begin(), blockLogQ.end());
            reducedPotentials.insert(reducedPotentials.end(), blockPotentials.begin(), blockPotentials.end());
            done += blockLogQ.size();
            if (progress && !progress(done, count))
                break;
        }
        WeightedEnsemble ensemble = makeEnsemble({}, std::move(logQ), std::move(reducedPotentials));
        ensemble.addSampleRange({seed, first, done});
        return ensemble;
    }
    /** What annealing needs, after a few samples have shown that the energy suits a flow. */
    AnnealingPath makePath() {
        if (!isInvariant)
            sample(64, 0, 0, {}, [](const vector<double>&) {});
        return AnnealingPath(context, potential, temperature, verifier.get());
    }

    double temperature;
    int numParticles;
    // The System is checked before anything is made of it or of the flow.
    unique_ptr<System> system;
    BatchedPotential potential;
    FlowContext context;
    map<string, string> metadata;
    bool isInvariant = false;
    unique_ptr<EnergyVerifier> verifier;
};

FlowSampler::FlowSampler(const System& system, const Flow& flow, double temperature,
                         const map<string, string>& properties)
    : impl(make_unique<Implementation>(system, flow, temperature, properties)) {}

FlowSampler::FlowSampler(const System& system, const Flow& flow, double temperature, Platform& platform,
                         const map<string, string>& properties)
    : impl(make_unique<Implementation>(system, flow, temperature, platform, properties)) {}

FlowSampler::~FlowSampler() = default;

const Flow& FlowSampler::getFlow() const {
    return impl->context.getFlow();
}

double FlowSampler::getTemperature() const {
    return impl->temperature;
}

string FlowSampler::getDescription() const {
    return "flow: " + impl->metadata.at("proposals") + "; energies: " + impl->metadata.at("energies");
}

void FlowSampler::setEnergyVerification(double fraction) {
    impl->verifier = make_unique<EnergyVerifier>(*impl->system, impl->potential, impl->temperature, fraction);
    impl->metadata.erase("verified_energies");
    if (impl->verifier->isActive())
        impl->metadata["verified_energies"] = formatNumber(fraction);
}

void FlowSampler::propose(long long count, vector<double>& positions, vector<double>& logQ, uint64_t seed,
                          uint64_t first) {
    checkRange(count, first);
    impl->context.sample(count, positions, logQ, seed, first);
}

WeightedEnsemble FlowSampler::sample(long long count, uint64_t seed, uint64_t first,
                                     const Progress& progress) {
    checkRange(count, first);
    vector<double> positions = reservePositions(count, impl->numParticles, "sampleToFile()");
    WeightedEnsemble ensemble = impl->sample(count, seed, first, progress, [&](const vector<double>& block) {
        positions.insert(positions.end(), block.begin(), block.end());
    });
    ensemble.setPositions(std::move(positions));
    return ensemble;
}

WeightedEnsemble FlowSampler::sampleToFile(const string& path, long long count, uint64_t seed, uint64_t first,
                                           const Progress& progress) {
    checkRange(count, first);
    WeightedEnsemble description = impl->makeEnsemble({}, {}, {});
    description.addSampleRange({seed, first, count});
    EnsembleWriter writer(path, description, count, true);
    WeightedEnsemble ensemble = impl->sample(
        count, seed, first, progress, [&](const vector<double>& block) { writer.addPositions(block); });
    writer.finish(ensemble);
    return ensemble;
}

WeightedEnsemble FlowSampler::reweight(vector<double> positions, long long firstFrame) {
    if (impl->context.getFlow().getNumAugmentedParticles() > 0)
        throw OpenMMException(
            "Samples of an augmented flow can be weighted together with the augmented particles that they "
            "were "
            "drawn with, which frames do not hold: use sample() again with the same seed.");
    vector<double> logQ = impl->context.computeLogDensity(positions);
    for (size_t k = 0; k < logQ.size(); k++)
        if (!isfinite(logQ[k]))
            throw OpenMMException("Frame " + to_string(firstFrame + k)
                                  + (isnan(logQ[k])
                                         ? " has a position that is not a finite number."
                                         : " lies outside the flow's support, so that it cannot have been "
                                           "drawn from this flow: remove it or use the flow that made it."));
    moveToOrigin(positions, impl->numParticles);
    vector<double> reducedPotentials = impl->computeReducedPotentials(positions, logQ);
    return impl->makeEnsemble(std::move(positions), std::move(logQ), std::move(reducedPotentials));
}

AnnealingSchedule FlowSampler::planAnnealing(const AnnealingOptions& options, const Progress& progress) {
    AnnealingOptions unplanned = options;
    unplanned.schedule.reset();
    unplanned.check();
    AnnealingPath path = impl->makePath();
    const AnnealingSchedule schedule = OpenMMFlow::planAnnealing(
        path, unplanned, [&](long long steps) { return !progress || progress(steps, MOST_ANNEALING_STEPS); });
    if (schedule.betas.back() != 1)
        throw OpenMMException(
            "The pilot run was stopped before it reached the target, so there is no schedule.");
    return schedule;
}

WeightedEnsemble FlowSampler::anneal(long long count, const AnnealingOptions& options, uint64_t seed,
                                     uint64_t first, const Progress& progress) {
    checkRange(count, first);
    options.check(count, first);
    vector<double> positions = reservePositions(count, impl->numParticles, "annealToFile()");
    AnnealingRun run(impl->makePath(), options, {seed, first, count}, progress);
    WeightedEnsemble ensemble = run.run(
        [&](const vector<double>& block) { positions.insert(positions.end(), block.begin(), block.end()); });
    ensemble.setPositions(std::move(positions));
    impl->addMetadata(ensemble);
    return ensemble;
}

WeightedEnsemble FlowSampler::annealToFile(const string& path, long long count,
                                           const AnnealingOptions& options, uint64_t seed, uint64_t first,
                                           const Progress& progress) {
    checkRange(count, first);
    options.check(count, first);
    // A file that cannot be written is told before the pilot run.
    { AtomicFile probe(path); }
    AnnealingRun run(impl->makePath(), options, {seed, first, count}, progress);
    WeightedEnsemble description = run.describe();
    impl->addMetadata(description);
    EnsembleWriter writer(path, description, count, true);
    WeightedEnsemble ensemble = run.run([&](const vector<double>& block) { writer.addPositions(block); });
    impl->addMetadata(ensemble);
    // An older file is worth more than one without any of the samples that were asked for.
    if (ensemble.getNumSamples() > 0 || count == 0)
        writer.finish(ensemble);
    return ensemble;
}

}  // namespace OpenMMFlow
