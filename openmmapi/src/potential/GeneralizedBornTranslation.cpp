#include <algorithm>
#include <cctype>
#include <map>
#include <regex>

#include "Translations.h"
#include "openmm/CustomGBForce.h"
#include "openmm/GBSAOBCForce.h"
#include "openmm/reference/SimTKOpenMMRealType.h"
#include "openmmflow/internal/PotentialTranslator.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

using Born = PotentialModel::GeneralizedBorn;

/** Between atoms and probe, in all models. */
const double OFFSET = 0.009, PROBE = 0.14;

bool translateObc(const Force& anyForce, PotentialModelBuilder& builder) {
    auto* force = dynamic_cast<const GBSAOBCForce*>(&anyForce);
    if (force == nullptr)
        return false;
    if (force->getNonbondedMethod() == GBSAOBCForce::CutoffPeriodic)
        throw UntranslatableForce("GBSAOBCForce with periodic boundary conditions");
    Born born;
    born.alpha = 1;
    born.beta = 0.8;
    born.gamma = 4.85;
    born.countsEmbedded = true;
    born.solute = ONE_4PI_EPS0 / force->getSoluteDielectric();
    born.solvent = ONE_4PI_EPS0 / force->getSolventDielectric();
    born.surface = 4 * M_PI * force->getSurfaceAreaEnergy();
    born.probe = PROBE;
    if (force->getNonbondedMethod() == GBSAOBCForce::CutoffNonPeriodic) {
        born.cutoff = force->getCutoffDistance();
        born.shift = 1 / born.cutoff;
    }
    for (int i = 0; i < force->getNumParticles(); i++) {
        double charge, radius, scale;
        force->getParticleParameters(i, charge, radius, scale);
        born.particles.push_back({charge, radius - OFFSET, scale * (radius - OFFSET), radius});
    }
    builder.addGeneralizedBorn(born);
    return true;
}

string withoutSpaces(string text) {
    erase_if(text, [](unsigned char c) { return isspace(c); });
    return text;
}

/** An expression, and the numbers that it defines behind it as "name=number". */
pair<string, map<string, double>> separateConstants(const string& text) {
    static const regex definition(";(\\w+)=([-+0-9.eE]+)(?=;|$)");
    const string compact = withoutSpaces(text);
    map<string, double> constants;
    for (sregex_iterator match(compact.begin(), compact.end(), definition), end; match != end; ++match)
        constants[(*match)[1]] = stod((*match)[2]);
    return {regex_replace(compact, definition, ""), constants};
}

/**
 * Recognise the CustomGBForces that openmm.app makes for the models HCT, OBC1 and OBC2 by the text of their
 * expressions (openmm/app/internal/customgbforces.py). Whether the text was understood is proved by
 * evaluation, as for all Forces.
 */
bool recognizeObc(const CustomGBForce& force, Born& born) {
    if (force.getNumPerParticleParameters() != 3 || force.getNumGlobalParameters() != 0
        || force.getNumExclusions() != 0 || force.getNumTabulatedFunctions() != 0
        || force.getNumComputedValues() != 2 || force.getNumEnergyTerms() < 2 || force.getNumEnergyTerms() > 3
        || force.getNumEnergyParameterDerivatives() != 0)
        return false;
    const char* names[] = {"charge", "or", "sr"};
    for (int i = 0; i < 3; i++)
        if (force.getPerParticleParameterName(i) != names[i])
            return false;
    string name, text;
    CustomGBForce::ComputationType type;
    force.getComputedValueParameters(0, name, text, type);
    if (name != "I" || type != CustomGBForce::ParticlePairNoExclusions
        || withoutSpaces(text)
               != "select(step(r+sr2-or1),0.5*(1/L-1/U+0.25*(r-sr2^2/r)*(1/(U^2)-1/(L^2))+0.5*log(L/U)/r),0);U=r+sr2;"
                  "L=max(or1,D);D=abs(r-sr2)")
        return false;
    force.getComputedValueParameters(1, name, text, type);
    if (name != "B" || type != CustomGBForce::SingleParticle)
        return false;
    static const map<string, array<double, 3>> models = {
        {"1/(1/or-I)", {0, 0, 0}},
        {"1/(1/or-tanh(0.8*psi+2.909125*psi^3)/radius);psi=I*or;radius=or+offset", {0.8, 0, 2.909125}},
        {"1/(1/or-tanh(psi-0.8*psi^2+4.85*psi^3)/radius);psi=I*or;radius=or+offset", {1, 0.8, 4.85}}};
    const auto [radius, radiusConstants] = separateConstants(text);
    const auto model = models.find(radius);
    if (model == models.end())
        return false;
    born.alpha = model->second[0];
    born.beta = model->second[1];
    born.gamma = model->second[2];
    born.countsEmbedded = false;
    born.surface = 0;
    born.probe = PROBE;
    map<string, double> constants;
    int numPairTerms = 0, numSelfTerms = 0;
    bool hasSalt[2] = {false, false};
    for (int i = 0; i < force.getNumEnergyTerms(); i++) {
        force.getEnergyTermParameters(i, text, type);
        auto [expression, defined] = separateConstants(text);
        constants = defined;
        if (type == CustomGBForce::SingleParticle
            && expression == "28.3919551*(radius+0.14)^2*(radius/B)^6;radius=or+offset") {
            born.surface = 28.3919551;
            continue;
        }
        static const regex shifted("(.*)\\*\\(1/f-([0-9.eE+-]+)\\)(;f=.*)"), salt("exp\\(-kappa\\*[Bf]\\)");
        smatch shift;
        if (regex_match(expression, shift, shifted)) {
            born.shift = stod(shift[2]);
            expression = shift[1].str() + "/f" + shift[3].str();
        }
        const bool isPair = type == CustomGBForce::ParticlePairNoExclusions;
        hasSalt[isPair] = regex_search(expression, salt);
        expression = regex_replace(expression, salt, "1");
        if (isPair
            && expression
                   == "-138.935485*(1/soluteDielectric-1/solventDielectric)*charge1*charge2/f;"
                      "f=sqrt(r^2+B1*B2*exp(-r^2/(4*B1*B2)))")
            numPairTerms++;
        else if (type == CustomGBForce::SingleParticle
                 && expression == "-0.5*138.935485*(1/soluteDielectric-1/solventDielectric)*charge^2/B")
            numSelfTerms++;
        else
            return false;
    }
    const double offset = constants.count("offset") == 0 ? OFFSET : constants["offset"];
    if (numPairTerms != 1 || numSelfTerms != 1 || hasSalt[0] != hasSalt[1]
        || constants.count("soluteDielectric") == 0 || constants.count("solventDielectric") == 0
        || (hasSalt[0] && constants.count("kappa") == 0))
        return false;
    born.solute = 138.935485 / constants["soluteDielectric"];
    born.solvent = 138.935485 / constants["solventDielectric"];
    born.kappa = hasSalt[0] ? constants["kappa"] : 0;
    if (force.getNonbondedMethod() == CustomGBForce::CutoffNonPeriodic)
        born.cutoff = force.getCutoffDistance();
    for (int i = 0; i < force.getNumParticles(); i++) {
        vector<double> values;
        force.getParticleParameters(i, values);
        born.particles.push_back({values[0], values[1], values[2], values[1] + offset});
    }
    return true;
}

bool translateCustom(const Force& anyForce, PotentialModelBuilder& builder) {
    auto* force = dynamic_cast<const CustomGBForce*>(&anyForce);
    if (force == nullptr || force->getNonbondedMethod() == CustomGBForce::CutoffPeriodic)
        return false;
    Born born;
    if (!recognizeObc(*force, born))
        return false;
    builder.addGeneralizedBorn(born);
    return true;
}

}  // namespace

bool translateGeneralizedBorn(const Force& force, PotentialModelBuilder& builder) {
    return translateObc(force, builder) || translateCustom(force, builder);
}

}  // namespace OpenMMFlow
