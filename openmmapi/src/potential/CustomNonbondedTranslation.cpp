#include <algorithm>
#include <set>

#include "CustomExpressions.h"
#include "openmm/CustomNonbondedForce.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

/** Names and values of everything that an energy may use of a particle: its parameters, then computed values.
 */
struct ParticleQuantities {
    vector<string> names;
    vector<vector<double>> values;
};

ParticleQuantities getQuantities(const CustomNonbondedForce& force, const ExpressionTables& tables,
                                 const vector<string>& globalNames, const vector<double>& globalValues) {
    ParticleQuantities result;
    for (int i = 0; i < force.getNumPerParticleParameters(); i++)
        result.names.push_back(force.getPerParticleParameterName(i));
    result.values.resize(force.getNumParticles());
    for (int i = 0; i < force.getNumParticles(); i++)
        force.getParticleParameters(i, result.values[i]);
    vector<string> inputs = result.names;
    inputs.insert(inputs.end(), globalNames.begin(), globalNames.end());
    vector<vector<double>> computed(force.getNumParticles());
    for (int k = 0; k < force.getNumComputedValues(); k++) {
        string name, text;
        force.getComputedValueParameters(k, name, text);
        const ExpressionProgram program({tables.parse(text)}, inputs, tables);
        for (int i = 0; i < force.getNumParticles(); i++) {
            vector<double> values(result.values[i]);
            values.insert(values.end(), globalValues.begin(), globalValues.end());
            computed[i].push_back(evaluateOnce(program, values));
        }
        result.names.push_back(name);
    }
    for (int i = 0; i < force.getNumParticles(); i++)
        result.values[i].insert(result.values[i].end(), computed[i].begin(), computed[i].end());
    return result;
}

vector<pair<int, int>> findPairs(const CustomNonbondedForce& force) {
    set<pair<int, int>> excluded;
    for (int i = 0; i < force.getNumExclusions(); i++) {
        int a, b;
        force.getExclusionParticles(i, a, b);
        excluded.insert(minmax(a, b));
    }
    vector<pair<int, int>> pairs;
    auto add = [&](int a, int b) {
        if (a != b && excluded.count(minmax(a, b)) == 0)
            pairs.push_back({a, b});
    };
    if (force.getNumInteractionGroups() == 0)
        for (int i = 0; i < force.getNumParticles(); i++)
            for (int j = i + 1; j < force.getNumParticles(); j++)
                add(i, j);
    for (int group = 0; group < force.getNumInteractionGroups(); group++) {
        set<int> first, second;
        force.getInteractionGroupParameters(group, first, second);
        for (int i : first)
            for (int j : second) {
                const bool isSeenTwice = first.count(j) != 0 && second.count(i) != 0;
                if (!isSeenTwice || i < j)
                    add(i, j);
            }
    }
    return pairs;
}

}  // namespace

bool translateCustomNonbonded(const Force& anyForce, const Parameters& parameters,
                              PotentialModelBuilder& builder) {
    auto* force = dynamic_cast<const CustomNonbondedForce*>(&anyForce);
    if (force == nullptr)
        return false;
    const ExpressionTables tables(*force);
    vector<string> globalNames;
    vector<double> globalValues;
    getGlobalParameters(*force, parameters, globalNames, globalValues);
    const ParticleQuantities quantities = getQuantities(*force, tables, globalNames, globalValues);
    vector<string> names;
    for (const char* suffix : {"1", "2"})
        for (const string& name : quantities.names)
            names.push_back(name + suffix);
    names.insert(names.end(), globalNames.begin(), globalNames.end());
    CustomExpression expression(tables.parse(force->getEnergyFunction()), {"r"}, {"r"}, names, tables);

    PotentialModel::CustomTerms terms;
    terms.variables = {{PotentialModel::CustomVariable::Distance, {0, 1, 0, 0}}};
    terms.program = expression.getProgram();
    terms.particlesPerTerm = 2;
    terms.numParameters = expression.getNumParameters();
    if (force->getNonbondedMethod() == CustomNonbondedForce::CutoffNonPeriodic) {
        terms.cutoff = force->getCutoffDistance();
        if (force->getUseSwitchingFunction())
            terms.switchingDistance = force->getSwitchingDistance();
    }
    for (const auto& [a, b] : findPairs(*force)) {
        terms.particles.insert(terms.particles.end(), {a, b});
        vector<double> values = quantities.values[a];
        values.insert(values.end(), quantities.values[b].begin(), quantities.values[b].end());
        values.insert(values.end(), globalValues.begin(), globalValues.end());
        expression.evaluateParameters(values, terms.parameters);
    }
    if (!terms.particles.empty())
        builder.addCustomTerms(std::move(terms));
    return true;
}

}  // namespace OpenMMFlow
