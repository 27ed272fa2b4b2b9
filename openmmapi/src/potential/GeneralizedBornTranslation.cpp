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
        born.particles.push_back({charge, radius - OFFSET, scale * (radius - OFFSET), radius, 1, 0.8, 4.85});
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

double evaluateDiscrete(const CustomGBForce& force, const string& name, int i, int j) {
    for (int k = 0; k < force.getNumTabulatedFunctions(); k++)
        if (force.getTabulatedFunctionName(k) == name)
            if (auto* table = dynamic_cast<const Discrete2DFunction*>(&force.getTabulatedFunction(k))) {
                int width, height;
                vector<double> values;
                table->getFunctionParameters(width, height, values);
                return values.at(i + width * j);
            }
    throw UntranslatableForce("CustomGBForce without the table " + name);
}

/** The first computed value of a CustomGBForce: the integral I. Returns whether it was recognised. */
bool recognizeIntegral(const CustomGBForce& force, Born& born, const vector<vector<double>>& parameters) {
    string name, text;
    CustomGBForce::ComputationType type;
    force.getComputedValueParameters(0, name, text, type);
    if (name != "I" || type != CustomGBForce::ParticlePairNoExclusions)
        return false;
    const auto [expression, constants] = separateConstants(text);
    const string integral =
        "select(step(r+sr2-or1),0.5*(1/L-1/U+0.25*(r-sr2^2/r)*(1/(U^2)-1/(L^2))+0.5*log(L/U)/r),0);U=r+sr2;"
        "L=max(or1,D);D=abs(r-sr2)";
    if (expression == integral)
        return true;
    if (expression
            != "Ivdw+neckScale*Ineck;Ineck=step(radius1+radius2+neckCut-r)*getm0(radindex1,radindex2)/"
               "(1+100*(r-getd0(radindex1,radindex2))^2+0.3*1000000*(r-getd0(radindex1,radindex2))^6);Ivdw="
                   + integral + ";radius1=or1+offset;radius2=or2+offset"
        || constants.count("neckScale") == 0 || constants.count("neckCut") == 0 || constants.count("offset") == 0)
        return false;
    auto makeNeck = [&](const vector<double>& a, const vector<double>& b) {
        const int i = (int)a.back(), j = (int)b.back();
        return Born::Neck{constants.at("neckScale") * evaluateDiscrete(force, "getm0", i, j),
                          evaluateDiscrete(force, "getd0", i, j),
                          a[1] + b[1] + 2 * constants.at("offset") + constants.at("neckCut")};
    };
    for (size_t i = 0; i < parameters.size(); i++)
        for (size_t j = i + 1; j < parameters.size(); j++) {
            born.necks.push_back(makeNeck(parameters[i], parameters[j]));
            born.necks.push_back(makeNeck(parameters[j], parameters[i]));
        }
    return true;
}

/** The second computed value: the Born radius. */
bool recognizeRadius(const CustomGBForce& force, Born& born, const vector<vector<double>>& parameters) {
    string name, text;
    CustomGBForce::ComputationType type;
    force.getComputedValueParameters(1, name, text, type);
    if (name != "B" || type != CustomGBForce::SingleParticle)
        return false;
    const auto [expression, constants] = separateConstants(text);
    static const regex fixed(
        "1/\\(1/or-tanh\\(([0-9.]+\\*)?psi(-[0-9.]+\\*psi\\^2)?\\+([0-9.]+)\\*psi\\^3\\)/radius\\);"
        "psi=I\\*or;radius=or\\+offset");
    smatch match;
    double alpha = 0, beta = 0, gamma = 0;
    const bool isPerParticle =
        expression == "1/(1/or-tanh(alpha*psi-beta*psi^2+gamma*psi^3)/radius);psi=I*or;radius=or+offset";
    if (regex_match(expression, match, fixed)) {
        alpha = match[1].matched ? stod(match[1]) : 1;
        beta = match[2].matched ? -stod(match[2]) : 0;
        gamma = stod(match[3]);
    } else if (!isPerParticle && expression != "1/(1/or-I)")
        return false;
    const double offset = constants.count("offset") == 0 ? OFFSET : constants.at("offset");
    for (const vector<double>& p : parameters)
        born.particles.push_back({p[0], p[1], p[2], p[1] + offset, isPerParticle ? p[3] : alpha,
                                  isPerParticle ? p[4] : beta, isPerParticle ? p[5] : gamma});
    return true;
}

bool recognizeEnergies(const CustomGBForce& force, Born& born) {
    string text;
    CustomGBForce::ComputationType type;
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
    if (numPairTerms != 1 || numSelfTerms != 1 || hasSalt[0] != hasSalt[1]
        || constants.count("soluteDielectric") == 0 || constants.count("solventDielectric") == 0
        || (hasSalt[0] && constants.count("kappa") == 0))
        return false;
    born.solute = 138.935485 / constants["soluteDielectric"];
    born.solvent = 138.935485 / constants["solventDielectric"];
    born.kappa = hasSalt[0] ? constants["kappa"] : 0;
    return true;
}

/**
 * Recognise the CustomGBForces that openmm.app makes for the models HCT, OBC1, OBC2, GBn and GBn2 by the text
 * of their expressions (openmm/app/internal/customgbforces.py). Whether the text was understood is proved by
 * evaluation, as for all Forces.
 */
bool recognizeBorn(const CustomGBForce& force, Born& born) {
    if (force.getNumGlobalParameters() != 0 || force.getNumExclusions() != 0
        || force.getNumComputedValues() != 2 || force.getNumEnergyTerms() < 2
        || force.getNumEnergyTerms() > 3)
        return false;
    string names;
    for (int i = 0; i < force.getNumPerParticleParameters(); i++)
        names += force.getPerParticleParameterName(i) + " ";
    if (names != "charge or sr " && names != "charge or sr radindex "
        && names != "charge or sr alpha beta gamma radindex ")
        return false;
    born.countsEmbedded = false;
    born.surface = 0;
    born.probe = PROBE;
    if (force.getNonbondedMethod() == CustomGBForce::CutoffNonPeriodic)
        born.cutoff = force.getCutoffDistance();
    vector<vector<double>> parameters(force.getNumParticles());
    for (int i = 0; i < force.getNumParticles(); i++)
        force.getParticleParameters(i, parameters[i]);
    return recognizeIntegral(force, born, parameters) && recognizeRadius(force, born, parameters)
           && recognizeEnergies(force, born);
}

bool translateCustom(const Force& anyForce, PotentialModelBuilder& builder) {
    auto* force = dynamic_cast<const CustomGBForce*>(&anyForce);
    if (force == nullptr || force->getNonbondedMethod() == CustomGBForce::CutoffPeriodic)
        return false;
    Born born;
    if (!recognizeBorn(*force, born))
        return false;
    builder.addGeneralizedBorn(born);
    return true;
}

}  // namespace

bool translateGeneralizedBorn(const Force& force, PotentialModelBuilder& builder) {
    return translateObc(force, builder) || translateCustom(force, builder);
}

}  // namespace OpenMMFlow
