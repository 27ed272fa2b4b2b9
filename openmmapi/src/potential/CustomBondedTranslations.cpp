#include "CustomExpressions.h"
#include "PointFunctions.h"
#include "openmm/CustomAngleForce.h"
#include "openmm/CustomBondForce.h"
#include "openmm/CustomCompoundBondForce.h"
#include "openmm/CustomExternalForce.h"
#include "openmm/CustomTorsionForce.h"
#include "openmm/internal/CustomCompoundBondForceImpl.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

using Variable = PotentialModel::CustomVariable;

/** Gathers the terms of one Force. */
class Terms {
public:
    /** @param names   of the variables, in their order, then of the parameters of a term, then of the global
     * ones */
    Terms(const Lepton::ParsedExpression& energy, const ExpressionTables& tables, int particlesPerTerm,
          const vector<Variable>& variables, const vector<string>& variableNames,
          vector<string> parameterNames, const vector<string>& globalNames,
          const vector<double>& globalValues)
        : globals(globalValues),
          expression(energy, variableNames, variableNames, append(std::move(parameterNames), globalNames),
                     tables) {
        terms.variables = variables;
        terms.particlesPerTerm = particlesPerTerm;
        terms.program = expression.getProgram();
        terms.numParameters = expression.getNumParameters();
    }
    void add(const vector<int>& particles, vector<double> parameters) {
        terms.particles.insert(terms.particles.end(), particles.begin(), particles.end());
        parameters.insert(parameters.end(), globals.begin(), globals.end());
        expression.evaluateParameters(parameters, terms.parameters);
    }
    void addTo(PotentialModelBuilder& builder) {
        if (!terms.particles.empty())
            builder.addCustomTerms(std::move(terms));
    }

private:
    static vector<string> append(vector<string> names, const vector<string>& more) {
        names.insert(names.end(), more.begin(), more.end());
        return names;
    }
    vector<double> globals;
    CustomExpression expression;
    PotentialModel::CustomTerms terms;
};

Terms makeTerms(const auto& force, const Parameters& parameters, int particlesPerTerm,
                const vector<Variable>& variables, const vector<string>& variableNames,
                const vector<string>& parameterNames) {
    vector<string> globalNames;
    vector<double> globalValues;
    getGlobalParameters(force, parameters, globalNames, globalValues);
    const ExpressionTables none;
    return Terms(none.parse(force.getEnergyFunction()), none, particlesPerTerm, variables, variableNames,
                 parameterNames, globalNames, globalValues);
}

void translate(const CustomBondForce& force, const Parameters& parameters, PotentialModelBuilder& builder) {
    vector<string> names;
    for (int i = 0; i < force.getNumPerBondParameters(); i++)
        names.push_back(force.getPerBondParameterName(i));
    Terms terms = makeTerms(force, parameters, 2, {{Variable::Distance, {0, 1}}}, {"r"}, names);
    for (int i = 0; i < force.getNumBonds(); i++) {
        vector<int> p(2);
        vector<double> values;
        force.getBondParameters(i, p[0], p[1], values);
        terms.add(p, values);
    }
    terms.addTo(builder);
}

void translate(const CustomAngleForce& force, const Parameters& parameters, PotentialModelBuilder& builder) {
    vector<string> names;
    for (int i = 0; i < force.getNumPerAngleParameters(); i++)
        names.push_back(force.getPerAngleParameterName(i));
    Terms terms = makeTerms(force, parameters, 3, {{Variable::Angle, {0, 1, 2}}}, {"theta"}, names);
    for (int i = 0; i < force.getNumAngles(); i++) {
        vector<int> p(3);
        vector<double> values;
        force.getAngleParameters(i, p[0], p[1], p[2], values);
        terms.add(p, values);
    }
    terms.addTo(builder);
}

void translate(const CustomTorsionForce& force, const Parameters& parameters,
               PotentialModelBuilder& builder) {
    vector<string> names;
    for (int i = 0; i < force.getNumPerTorsionParameters(); i++)
        names.push_back(force.getPerTorsionParameterName(i));
    Terms terms = makeTerms(force, parameters, 4, {{Variable::Torsion, {0, 1, 2, 3}}}, {"theta"}, names);
    for (int i = 0; i < force.getNumTorsions(); i++) {
        vector<int> p(4);
        vector<double> values;
        force.getTorsionParameters(i, p[0], p[1], p[2], p[3], values);
        terms.add(p, values);
    }
    terms.addTo(builder);
}

void translate(const CustomExternalForce& force, const Parameters& parameters,
               PotentialModelBuilder& builder) {
    vector<string> names;
    for (int i = 0; i < force.getNumPerParticleParameters(); i++)
        names.push_back(force.getPerParticleParameterName(i));
    Terms terms =
        makeTerms(force, parameters, 1, {{Variable::X, {0}}, {Variable::Y, {0}}, {Variable::Z, {0}}},
                  {"x", "y", "z"}, names);
    for (int i = 0; i < force.getNumParticles(); i++) {
        vector<int> p(1);
        vector<double> values;
        force.getParticleParameters(i, p[0], values);
        terms.add(p, values);
    }
    terms.addTo(builder);
}

void translate(const CustomCompoundBondForce& force, const Parameters& parameters,
               PotentialModelBuilder& builder) {
    const ExpressionTables tables(force);
    Lepton::ParsedExpression energy =
        CustomCompoundBondForceImpl::prepareExpression(force, tables.getFunctions());
    vector<Variable> variables;
    vector<string> names;
    for (const NamedVariable& variable : replacePointFunctions(energy)) {
        variables.push_back(variable.variable);
        names.push_back(variable.name);
    }
    vector<string> parameterNames, globalNames;
    for (int i = 0; i < force.getNumPerBondParameters(); i++)
        parameterNames.push_back(force.getPerBondParameterName(i));
    vector<double> globalValues;
    getGlobalParameters(force, parameters, globalNames, globalValues);
    Terms terms(energy, tables, force.getNumParticlesPerBond(), variables, names, parameterNames, globalNames,
                globalValues);
    for (int i = 0; i < force.getNumBonds(); i++) {
        vector<int> particles;
        vector<double> values;
        force.getBondParameters(i, particles, values);
        terms.add(particles, values);
    }
    terms.addTo(builder);
}

template <class ForceType>
bool tryTo(const Force& force, const Parameters& parameters, PotentialModelBuilder& builder) {
    auto* known = dynamic_cast<const ForceType*>(&force);
    if (known != nullptr)
        translate(*known, parameters, builder);
    return known != nullptr;
}

}  // namespace

bool translateCustomBonded(const Force& force, const Parameters& parameters, PotentialModelBuilder& builder) {
    return tryTo<CustomBondForce>(force, parameters, builder)
           || tryTo<CustomAngleForce>(force, parameters, builder)
           || tryTo<CustomTorsionForce>(force, parameters, builder)
           || tryTo<CustomExternalForce>(force, parameters, builder)
           || tryTo<CustomCompoundBondForce>(force, parameters, builder);
}

}  // namespace OpenMMFlow
