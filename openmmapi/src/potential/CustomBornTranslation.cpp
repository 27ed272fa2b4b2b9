#include <algorithm>
#include <set>

#include "CustomExpressions.h"
#include "openmm/CustomGBForce.h"
#include "openmmflow/internal/PotentialTranslator.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

/** Everything that the functions of one CustomGBForce share. */
class BornTranslation {
public:
    BornTranslation(const CustomGBForce& force, const Parameters& parameters) : force(force), tables(force) {
        getGlobalParameters(force, parameters, globalNames, globalValues);
        for (int i = 0; i < force.getNumPerParticleParameters(); i++)
            particleNames.push_back(force.getPerParticleParameterName(i));
        particleValues.resize(force.getNumParticles());
        for (int i = 0; i < force.getNumParticles(); i++)
            force.getParticleParameters(i, particleValues[i]);
        for (int i = 0; i < force.getNumExclusions(); i++) {
            int a, b;
            force.getExclusionParticles(i, a, b);
            excluded.insert(minmax(a, b));
        }
    }

    /** @param values   the names of the computed values that it may use */
    PotentialModel::CustomParticleFunction makeParticleFunction(const string& text,
                                                                const vector<string>& values) {
        vector<string> variables = {"x", "y", "z"};
        variables.insert(variables.end(), values.begin(), values.end());
        CustomExpression expression(tables.parse(text), variables, variables,
                                    join(particleNames, globalNames), tables);
        PotentialModel::CustomParticleFunction result;
        result.program = expression.getProgram();
        result.numParameters = expression.getNumParameters();
        for (const vector<double>& particle : particleValues)
            expression.evaluateParameters(join(particle, globalValues), result.parameters);
        return result;
    }

    /** @param bothWays   whether each pair is listed with either particle as the first */
    PotentialModel::CustomPairFunction makePairFunction(const string& text, const vector<string>& values,
                                                        bool hasExclusions, bool bothWays) {
        const vector<string> variables = join({"r"}, join(withSuffix(values, "1"), withSuffix(values, "2")));
        const vector<string> names =
            join(join(withSuffix(particleNames, "1"), withSuffix(particleNames, "2")), globalNames);
        CustomExpression expression(tables.parse(text), variables, variables, names, tables);
        PotentialModel::CustomPairFunction result;
        result.program = expression.getProgram();
        result.numParameters = expression.getNumParameters();
        const int n = particleValues.size();
        for (int i = 0; i < n; i++)
            for (int j = bothWays ? 0 : i + 1; j < n; j++) {
                if (i == j || (hasExclusions && excluded.count(minmax(i, j)) != 0))
                    continue;
                result.particles.insert(result.particles.end(), {i, j});
                expression.evaluateParameters(join(join(particleValues[i], particleValues[j]), globalValues),
                                              result.parameters);
            }
        return result;
    }

private:
    template <class T>
    static vector<T> join(vector<T> a, const vector<T>& b) {
        a.insert(a.end(), b.begin(), b.end());
        return a;
    }
    static vector<string> withSuffix(vector<string> names, const char* suffix) {
        for (string& name : names)
            name += suffix;
        return names;
    }

    const CustomGBForce& force;
    ExpressionTables tables;
    vector<string> globalNames, particleNames;
    vector<double> globalValues;
    vector<vector<double>> particleValues;
    set<pair<int, int>> excluded;
};

}  // namespace

bool translateCustomBorn(const Force& anyForce, const Parameters& parameters,
                         PotentialModelBuilder& builder) {
    auto* force = dynamic_cast<const CustomGBForce*>(&anyForce);
    if (force == nullptr)
        return false;
    BornTranslation translation(*force, parameters);
    PotentialModel::CustomBorn born;
    born.numValues = force->getNumComputedValues();
    if (force->getNonbondedMethod() == CustomGBForce::CutoffNonPeriodic)
        born.cutoff = force->getCutoffDistance();
    vector<string> values;
    string name, text;
    CustomGBForce::ComputationType type;
    for (int i = 0; i < born.numValues; i++) {
        force->getComputedValueParameters(i, name, text, type);
        const bool isPair = type != CustomGBForce::SingleParticle;
        if (isPair != (i == 0))
            throw UntranslatableForce(
                "CustomGBForce whose first computed value is not the only one of pairs");
        if (isPair)
            born.firstValue =
                translation.makePairFunction(text, {}, type == CustomGBForce::ParticlePair, true);
        else
            born.otherValues.push_back(translation.makeParticleFunction(text, values));
        values.push_back(name);
    }
    for (int i = 0; i < force->getNumEnergyTerms(); i++) {
        force->getEnergyTermParameters(i, text, type);
        if (type == CustomGBForce::SingleParticle)
            born.particleEnergies.push_back(translation.makeParticleFunction(text, values));
        else
            born.pairEnergies.push_back(
                translation.makePairFunction(text, values, type == CustomGBForce::ParticlePair, false));
    }
    builder.addCustomBorn(std::move(born));
    return true;
}

}  // namespace OpenMMFlow
