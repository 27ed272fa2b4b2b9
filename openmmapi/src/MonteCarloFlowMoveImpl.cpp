#include "openmmflow/internal/MonteCarloFlowMoveImpl.h"

#include <cmath>
#include <iostream>
#include <limits>
#include <numeric>
#include <sstream>

#include "FlowMoveChecks.h"
#include "FlowParticles.h"
#include "FlowProposals.h"
#include "IntegratorTraits.h"
#include "MaxwellVelocities.h"
#include "MoveEnergies.h"
#include "NotANumber.h"
#include "ReplicaNoise.h"
#include "StateChoice.h"
#include "openmm/OpenMMException.h"
#include "openmm/internal/OSRngSeed.h"
#include "openmm/reference/SimTKOpenMMRealType.h"
#include "openmmflow/internal/AugmentedFlowModel.h"
#include "openmmflow/internal/KernelProperties.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

using shared::NoiseStream;

namespace {

const double INFINITE = numeric_limits<double>::infinity();
/** After so many moves, and again after so many more, a fraction of acceptances below this one is worth a
 * word. */
const long long MOVES_TO_WARNING = 1000;
const double HOPELESS_ACCEPTANCE = 1e-3;

/** The index of a Force in a System, which tells apart the random numbers of two Forces with one seed. */
int findIndex(const Force& force, const System& system) {
    int index = 0;
    while (&system.getForce(index) != &force)
        index++;
    return index;
}

/** Advance velocities by a time under constant forces. */
void kick(vector<Vec3>& velocities, const vector<Vec3>& forces, double time, const System& system) {
    for (size_t i = 0; i < velocities.size(); i++)
        if (system.getParticleMass((int)i) > 0)
            velocities[i] += time / system.getParticleMass((int)i) * forces[i];
}

}  // namespace

/** What a move begins with. */
struct MonteCarloFlowMoveImpl::State {
    double kT, velocityLag;
    bool isMiddle;
    int groups;
    vector<Vec3> positions;
    /** Only where velocities lag behind positions. */
    vector<Vec3> forces;
    /** What the Context says, in kJ/mol. */
    double energy;
    Vec3 center;
    /** The flow's particles relative to their centre, (N, 3). */
    vector<double> configuration;
    double logQ;
};

MonteCarloFlowMoveImpl::MonteCarloFlowMoveImpl(const MonteCarloFlowMove& owner)
    : owner(owner),
      particles(owner.getParticles()),
      frequency(owner.getFrequency()),
      numProposals(owner.getNumProposals()) {
    forceGroup = owner.getForceGroup();
}

MonteCarloFlowMoveImpl::~MonteCarloFlowMoveImpl() = default;

void MonteCarloFlowMoveImpl::initialize(ContextImpl& context) {
    const System& system = context.getSystem();
    if (particles.empty()) {
        particles.resize(system.getNumParticles());
        iota(particles.begin(), particles.end(), 0);
    }
    checkFlowMove(owner, particles, context);
    const Platform& platform = context.getPlatform();
    auto getProperty = [&](const string& name, const string& otherwise) {
        return knows(platform, name) ? platform.getPropertyValue(context.getOwner(), name) : otherwise;
    };
    threads = getProperty("Threads", "1");
    isDouble = platform.getName() == "Reference" || getProperty("Precision", "single") == "double";
    const int seed = owner.getRandomNumberSeed() == 0 ? osrngseed() : owner.getRandomNumberSeed();
    key = makeReplicaKey((uint32_t)seed, findIndex(owner, system), NoiseStream::FlowMoveKey);
    proposals = make_unique<FlowProposals>(owner.getFlow(), key, numProposals, threads);
    const auto* augmented = dynamic_cast<const AugmentedFlowModel*>(&owner.getFlow().getModel());
    isPlanar = augmented != nullptr && augmented->getParticles().dimensions == 2;
    createBatchedEnergies(system);
}

void MonteCarloFlowMoveImpl::createBatchedEnergies(const System& system) {
    // What is prepared knows nothing of the z that a flow in two dimensions leaves as it is.
    batchedEnergies = isPlanar ? nullptr : MoveEnergies::create(system, particles, threads);
}

map<string, double> MonteCarloFlowMoveImpl::getDefaultParameters() {
    return {{MonteCarloFlowMove::Temperature(), owner.getDefaultTemperature()}};
}

void MonteCarloFlowMoveImpl::updateContextState(ContextImpl& context, bool& forcesInvalid) {
    const long long step = context.getStepCount();
    if (frequency == 0 || (step + 1) % frequency != 0)
        return;
    // The Context computes energies below, and its forces may be lost on the way.
    forcesInvalid = true;
    const State state = readState(context, step);
    if (proposals->select((step + 1) / frequency - 1))
        preparedEnergies.clear();
    const optional<Energies> batched = computeBatchedEnergies(context, state);
    const vector<double> logRatios =
        computeLogRatios(state, batched ? *batched : computeContextEnergies(context, state));
    const double uniform = shared::uniformPair(key, step, NoiseStream::FlowMoveDecision, 0).first;
    const int chosen = chooseState(logRatios, uniform);
    if (chosen >= 0)
        accept(context, state, chosen, step);
    else if (!batched)
        context.setPositions(state.positions);
    statistics.addAttempt(chosen >= 0);
    warnIfHopeless();
}

MonteCarloFlowMoveImpl::State MonteCarloFlowMoveImpl::readState(ContextImpl& context, long long step) {
    const double temperature = context.getParameter(MonteCarloFlowMove::Temperature());
    if (owner.getRequiresMatchingTemperature())
        checkMatchingTemperature(temperature, context);
    const Integrator& integrator = getCurrentIntegrator(context.getIntegrator());
    State state;
    state.kT = BOLTZ * temperature;
    state.velocityLag = getVelocityLag(integrator);
    state.isMiddle = isLangevinMiddle(integrator);
    state.groups = integrator.getIntegrationForceGroups();
    state.energy = context.calcForcesAndEnergy(state.velocityLag != 0, true, state.groups);
    if (state.velocityLag != 0)
        context.getForces(state.forces);
    context.getPositions(state.positions);
    for (int particle : particles)
        state.center += state.positions[particle] / (double)particles.size();
    state.configuration = gatherPositions(state.positions, particles);
    for (size_t i = 0; i < state.configuration.size(); i++)
        state.configuration[i] -= state.center[i % 3];
    state.logQ = proposals->computeLogQ(state.configuration, step);
    checkState(context, state, step);
    return state;
}

void MonteCarloFlowMoveImpl::checkState(ContextImpl& context, const State& state, long long step) {
    if (context.getSystem().usesPeriodicBoundaryConditions()) {
        if (!bonds)
            bonds = findBonds(context, particles);
        checkWhole(*bonds, state.positions, context);
    }
    if (!isfinite(state.logQ))
        throw OpenMMException(describeNoDensity(state.logQ, owner.getName()));
    if (!isfinite(state.energy))
        throw OpenMMException("The potential energy is " + to_string(state.energy) + " kJ/mol after step "
                              + to_string(step)
                              + ", so that a flow move has nothing to compare with: minimise the energy first or "
                                "use a smaller time step.");
}

optional<MonteCarloFlowMoveImpl::Energies> MonteCarloFlowMoveImpl::computeBatchedEnergies(
    ContextImpl& context, const State& state) {
    const double tolerance =
        isDouble ? 1e-6 * (state.kT + abs(state.energy)) : 0.02 * state.kT + 2e-5 * abs(state.energy);
    double old = numeric_limits<double>::quiet_NaN();
    // At a second attempt with the Forces as they are now: updateParametersInContext() may have been called,
    // of which nobody else tells.
    for (int attempt = 0; attempt < 2 && batchedEnergies != nullptr; attempt++) {
        if (attempt > 0)
            createBatchedEnergies(context.getSystem());
        if (batchedEnergies == nullptr)
            break;
        if (batchedEnergies->update(context.getParameters(), state.groups) || attempt > 0)
            preparedEnergies.clear();
        old = batchedEnergies->compute(state.configuration)[0];
        if (!(abs(old - state.energy) <= tolerance))
            continue;
        if (preparedEnergies.empty())
            preparedEnergies = batchedEnergies->compute(proposals->getBlockPositions());
        const auto first = preparedEnergies.begin() + proposals->getFirst();
        return Energies{old, {first, first + numProposals}};
    }
    if (!isnan(old))
        clog << "openmm-flow: energies of flow moves come from the Context, one at a time, because it gives "
             << state.energy << " kJ/mol where the System's Forces give " << old << "." << endl;
    batchedEnergies.reset();
    return nullopt;
}

MonteCarloFlowMoveImpl::Energies MonteCarloFlowMoveImpl::computeContextEnergies(ContextImpl& context,
                                                                                const State& state) const {
    Energies energies{state.energy, vector<double>(numProposals, INFINITE)};
    try {
        for (int k = 0; k < numProposals; k++) {
            if (!isfinite(proposals->getBlockLogQ()[proposals->getFirst() + k]))
                continue;
            try {
                setPositions(context, place(state, k));
                energies.proposed[k] = context.calcForcesAndEnergy(false, true, state.groups);
            } catch (const OpenMMException& e) {
                if (!isAboutNaN(e))
                    throw;
            }
        }
    } catch (...) {
        context.setPositions(state.positions);
        throw;
    }
    return energies;
}

vector<double> MonteCarloFlowMoveImpl::computeLogRatios(const State& state, const Energies& energies) {
    const double logWeight = -energies.old / state.kT - state.logQ;
    vector<double> logRatios(numProposals, -INFINITE);
    for (int k = 0; k < numProposals; k++) {
        const double logQ = proposals->getBlockLogQ()[proposals->getFirst() + k];
        if (!isfinite(logQ))
            statistics.addOffSupport();
        else if (!isfinite(energies.proposed[k]))
            statistics.addNotFinite();
        else {
            logRatios[k] = -energies.proposed[k] / state.kT - logQ - logWeight;
            statistics.addLogRatio(logRatios[k]);
        }
    }
    return logRatios;
}

void MonteCarloFlowMoveImpl::accept(ContextImpl& context, const State& state, int proposal,
                                    long long step) const {
    try {
        acceptProposal(context, state, proposal, step);
    } catch (...) {
        context.setPositions(state.positions);
        throw;
    }
}

void MonteCarloFlowMoveImpl::acceptProposal(ContextImpl& context, const State& state, int proposal,
                                            long long step) const {
    const System& system = context.getSystem();
    const vector<Vec3> positions = place(state, proposal);
    vector<Vec3> velocities, forces, displacedForces;
    context.getVelocities(velocities);
    // The move is one of positions and velocities at the same time: where the velocities lag behind, to leave
    // them as they are would be an error of first order in the time step.
    if (state.velocityLag != 0)
        kick(velocities, state.forces, state.velocityLag, system);
    redrawVelocities(velocities, particles, system, state.kT, key, step);
    if (state.isMiddle) {
        vector<Vec3> displaced = positions;
        for (int particle : particles)
            displaced[particle] += state.velocityLag * velocities[particle];
        computeForces(context, displaced, state.groups, displacedForces);
    }
    if (state.velocityLag != 0) {
        computeForces(context, positions, state.groups, forces);
        if (state.isMiddle)
            slowStiffMotions(velocities, particles, system, state.velocityLag, forces, displacedForces);
        kick(velocities, forces, -state.velocityLag, system);
    } else
        setPositions(context, positions);
    context.setVelocities(velocities);
    if (system.getNumConstraints() > 0)
        context.applyVelocityConstraints(context.getIntegrator().getConstraintTolerance());
}

vector<Vec3> MonteCarloFlowMoveImpl::place(const State& state, int proposal) const {
    const double* x =
        &proposals->getBlockPositions()[3 * particles.size() * (proposals->getFirst() + proposal)];
    vector<Vec3> positions = state.positions;
    for (size_t i = 0; i < particles.size(); i++) {
        Vec3& r = positions[particles[i]];
        const double z = r[2];
        r = state.center + Vec3(x[3 * i], x[3 * i + 1], x[3 * i + 2]);
        if (isPlanar)
            r[2] = z;
    }
    return positions;
}

void MonteCarloFlowMoveImpl::setPositions(ContextImpl& context, const vector<Vec3>& positions) const {
    context.setPositions(positions);
    // Those of other particles may be defined by the flow's.
    context.computeVirtualSites();
}

void MonteCarloFlowMoveImpl::computeForces(ContextImpl& context, const vector<Vec3>& positions, int groups,
                                           vector<Vec3>& forces) const {
    setPositions(context, positions);
    context.calcForcesAndEnergy(true, false, groups);
    context.getForces(forces);
}

void MonteCarloFlowMoveImpl::warnIfHopeless() {
    if (hasWarned || statistics.getNumAttempts() % MOVES_TO_WARNING != 0
        || statistics.getAcceptance() >= HOPELESS_ACCEPTANCE)
        return;
    hasWarned = true;
    clog << "openmm-flow: " << statistics.toString()
         << ". The flow's distribution and the Boltzmann distribution hardly overlap: was the flow made for "
            "this "
            "force field, this temperature and this order of particles, and do the surroundings of the "
            "molecule, "
            "such as solvent in contact with it, leave room for another configuration?"
         << endl;
}

}  // namespace OpenMMFlow
