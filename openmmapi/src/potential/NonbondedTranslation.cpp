#include <algorithm>
#include <cmath>
#include <set>

#include "Translations.h"
#include "openmm/NonbondedForce.h"
#include "openmm/reference/SimTKOpenMMRealType.h"
#include "openmmflow/internal/PotentialTranslator.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

struct NonbondedParticle {
    double charge, sigma, epsilon;
};

/** What all particles, or all exceptions, have once the offsets of global parameters are added. */
vector<NonbondedParticle> getParticles(const NonbondedForce& force, const Parameters& parameters) {
    vector<NonbondedParticle> particles(force.getNumParticles());
    for (int i = 0; i < force.getNumParticles(); i++)
        force.getParticleParameters(i, particles[i].charge, particles[i].sigma, particles[i].epsilon);
    for (int i = 0; i < force.getNumParticleParameterOffsets(); i++) {
        string name;
        int particle;
        double charge, sigma, epsilon;
        force.getParticleParameterOffset(i, name, particle, charge, sigma, epsilon);
        const double value = parameters.at(name);
        particles[particle].charge += value * charge;
        particles[particle].sigma += value * sigma;
        particles[particle].epsilon += value * epsilon;
    }
    return particles;
}

vector<PotentialModel::Pair> getExceptions(const NonbondedForce& force, const Parameters& parameters) {
    vector<PotentialModel::Pair> exceptions(force.getNumExceptions());
    for (int i = 0; i < force.getNumExceptions(); i++)
        force.getExceptionParameters(i, exceptions[i].atoms[0], exceptions[i].atoms[1], exceptions[i].charges,
                                     exceptions[i].sigma, exceptions[i].epsilon);
    for (int i = 0; i < force.getNumExceptionParameterOffsets(); i++) {
        string name;
        int exception;
        double charges, sigma, epsilon;
        force.getExceptionParameterOffset(i, name, exception, charges, sigma, epsilon);
        const double value = parameters.at(name);
        exceptions[exception].charges += value * charges;
        exceptions[exception].sigma += value * sigma;
        exceptions[exception].epsilon += value * epsilon;
    }
    for (auto& exception : exceptions)
        exception.charges *= ONE_4PI_EPS0;
    return exceptions;
}

}  // namespace

bool translateNonbonded(const Force& anyForce, const Parameters& parameters, PotentialModelBuilder& builder) {
    auto* force = dynamic_cast<const NonbondedForce*>(&anyForce);
    if (force == nullptr)
        return false;
    const NonbondedForce::NonbondedMethod method = force->getNonbondedMethod();
    if (method != NonbondedForce::NoCutoff && method != NonbondedForce::CutoffNonPeriodic)
        throw UntranslatableForce("NonbondedForce with periodic boundary conditions");
    if (!force->getIncludeDirectSpace())
        throw UntranslatableForce("NonbondedForce without its direct space part");
    const vector<NonbondedParticle> particles = getParticles(*force, parameters);
    PotentialModel::PairList exceptions, others;
    exceptions.pairs = getExceptions(*force, parameters);
    set<pair<int, int>> excepted;
    for (const auto& exception : exceptions.pairs)
        excepted.insert(minmax(exception.atoms[0], exception.atoms[1]));
    if (method == NonbondedForce::CutoffNonPeriodic) {
        const double cutoff = force->getCutoffDistance(), dielectric = force->getReactionFieldDielectric();
        others.cutoff = cutoff;
        others.reactionFieldK = pow(cutoff, -3.0) * (dielectric - 1) / (2 * dielectric + 1);
        others.reactionFieldC = 3 * dielectric / (2 * dielectric + 1) / cutoff;
        if (force->getUseSwitchingFunction())
            others.switchingDistance = force->getSwitchingDistance();
    }
    for (int i = 0; i < (int)particles.size(); i++)
        for (int j = i + 1; j < (int)particles.size(); j++)
            if (excepted.count({i, j}) == 0)
                others.pairs.push_back({{i, j},
                                        ONE_4PI_EPS0 * particles[i].charge * particles[j].charge,
                                        0.5 * (particles[i].sigma + particles[j].sigma),
                                        sqrt(particles[i].epsilon * particles[j].epsilon)});
    builder.addPairs(exceptions);
    builder.addPairs(others);
    return true;
}

}  // namespace OpenMMFlow
