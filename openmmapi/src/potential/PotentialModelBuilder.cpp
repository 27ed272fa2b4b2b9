#include "PotentialModelBuilder.h"

#include <algorithm>
#include <cmath>

#include "RealParticles.h"

using namespace OpenMM;
using namespace std;

namespace OpenMMFlow {

namespace {

/** Whether a site moves along with its parents, to round-off. */
bool isTranslatedWithParents(const PotentialModel::VirtualSite& site) {
    double weight = 0, x = 0, y = 0;
    for (const auto& parent : site.parents) {
        weight += parent.weight;
        x += parent.x;
        y += parent.y;
    }
    return site.kind != PotentialModel::VirtualSite::Symmetry && abs(weight - 1) + abs(x) + abs(y) < 1e-12;
}

}  // namespace

PotentialModelBuilder::PotentialModelBuilder(const System& system) {
    model.numParticles = system.getNumParticles();
    model.realParticles = findRealParticles(system);
}

void PotentialModelBuilder::addBond(int a, int b, double length, double k) {
    if (k != 0)
        model.bonds.push_back({{a, b}, length, k});
}

void PotentialModelBuilder::addAngle(int a, int b, int c, double angle, double k) {
    if (k != 0)
        model.angles.push_back({{a, b, c}, angle, k});
}

int PotentialModelBuilder::addTorsion(int a, int b, int c, int d) {
    const array<int, 4> forwards = {a, b, c, d}, backwards = {d, c, b, a};
    const array<int, 4>& atoms = min(forwards, backwards);
    const auto [place, isNew] = torsions.insert({atoms, (int)model.torsions.size()});
    if (isNew)
        model.torsions.push_back({{atoms[0], atoms[1], atoms[2], atoms[3]}, {0.0}, {0.0}});
    return place->second;
}

void PotentialModelBuilder::addHarmonic(int torsion, int n, double cosine, double sine) {
    PotentialModel::Torsion& term = model.torsions[torsion];
    if ((int)term.cosine.size() <= n) {
        term.cosine.resize(n + 1, 0.0);
        term.sine.resize(n + 1, 0.0);
    }
    term.cosine[n] += cosine;
    term.sine[n] += sine;
}

int PotentialModelBuilder::addMap(PotentialModel::TorsionMap map) {
    model.maps.push_back(std::move(map));
    return model.maps.size() - 1;
}

void PotentialModelBuilder::addPairs(const PotentialModel::PairList& list) {
    PotentialModel::PairList result = list;
    erase_if(result.pairs, [](const auto& pair) { return pair.charges == 0 && pair.epsilon == 0; });
    if (result.pairs.empty())
        return;
    for (auto& pair : result.pairs)
        if (pair.atoms[0] > pair.atoms[1])
            swap(pair.atoms[0], pair.atoms[1]);
    stable_sort(result.pairs.begin(), result.pairs.end(), [](const auto& a, const auto& b) {
        return pair(a.atoms[0], a.atoms[1]) < pair(b.atoms[0], b.atoms[1]);
    });
    model.pairLists.push_back(std::move(result));
}

PotentialModel PotentialModelBuilder::build() {
    // Torsions whose barriers are all zero, as force fields have many.
    vector<int> place(model.torsions.size(), 0);
    for (const auto& both : model.mappedTorsions)
        for (int torsion : both.torsions)
            place[torsion] = 1;
    vector<PotentialModel::Torsion> kept;
    for (size_t i = 0; i < place.size(); i++) {
        auto& torsion = model.torsions[i];
        auto isZero = [](const vector<double>& x) {
            return all_of(x.begin() + 1, x.end(), [](double y) { return y == 0; });
        };
        if (place[i] == 0 && isZero(torsion.cosine) && isZero(torsion.sine)) {
            model.constant += torsion.cosine[0];
            continue;
        }
        place[i] = kept.size();
        kept.push_back(std::move(torsion));
    }
    model.torsions = std::move(kept);
    for (auto& both : model.mappedTorsions)
        for (int& torsion : both.torsions)
            torsion = place[torsion];
    // A CustomBorn may use positions in any of its functions of particles.
    model.isTranslationInvariant =
        model.customBorn.empty()
        && all_of(model.virtualSites.begin(), model.virtualSites.end(), isTranslatedWithParents);
    for (const auto& terms : model.customTerms)
        for (const auto& variable : terms.variables)
            if (variable.kind <= PotentialModel::CustomVariable::Z)
                model.isTranslationInvariant = false;
    return std::move(model);
}

}  // namespace OpenMMFlow
