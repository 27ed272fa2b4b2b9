#include "Stereochemistry.h"

#include <cmath>
#include <set>
#include <tuple>

using namespace OpenMMFlow;
using namespace std;
using Kind = InternalCoordinates::TorsionKind;

namespace {

/** A double bond in a smaller ring has one isomer. */
const int minRingWithIsomers = 8;

bool allDiffer(const MolecularGraph& graph, const vector<int>& atoms) {
    set<int> ranks;
    for (int i : atoms)
        ranks.insert(graph.getRank(i));
    return ranks.size() == atoms.size();
}

/** The numbers of heavy atoms and of all atoms on the side of `from` of the bond between `from` and `across`.
 */
pair<int, int> getBranchSize(const MolecularGraph& graph, int from, int across) {
    set<int> seen = {from, across};
    vector<int> queue = {from};
    int numHeavy = 0;
    for (size_t next = 0; next < queue.size(); next++) {
        numHeavy += !graph.isHydrogen(queue[next]);
        for (int i : graph.getNeighbors(queue[next]))
            if (seen.insert(i).second)
                queue.push_back(i);
    }
    return {numHeavy, (int)queue.size()};
}

/** The neighbour of `end` other than `across` by which cis and trans are named: where the molecule goes on.
 * -1: none. */
int getMainSubstituent(const MolecularGraph& graph, int end, int across) {
    vector<int> others;
    for (int i : graph.getNeighbors(end))
        if (i != across)
            others.push_back(i);
    if (others.empty() || others.size() > 2 || !allDiffer(graph, others))
        return -1;
    auto key = [&](int i) {
        return make_tuple(getBranchSize(graph, i, end), graph.getAtomicNumber(i), graph.getRank(i));
    };
    return others.size() == 2 && key(others[1]) > key(others[0]) ? others[1] : others[0];
}

Restriction describeCentre(const MolecularGraph& graph, int centre) {
    vector<int> n = graph.getNeighbors(centre);
    bool clockwise = graph.getTorsion(n[1], n[0], centre, n[2]) > 0;
    string last = n.size() > 3 ? graph.getName(n[3]) : "the lone pair";
    Restriction result = {"stereocentre", {centre}, ""};
    result.atoms.insert(result.atoms.end(), n.begin(), n.end());
    result.description = graph.getName(centre) + " is a stereocentre: seen from " + graph.getName(n[0]) + ", "
                         + graph.getName(n[1]) + ", " + graph.getName(n[2]) + " and " + last + " run "
                         + (clockwise ? "clockwise" : "counterclockwise") + ".";
    return result;
}

Restriction describeDoubleBond(const MolecularGraph& graph, const vector<int>& atoms) {
    bool cis = cos(graph.getTorsion(atoms[0], atoms[1], atoms[2], atoms[3])) > 0;
    return {cis ? "cis" : "trans", atoms,
            "The bond " + graph.getName(atoms[1]) + "-" + graph.getName(atoms[2]) + " is "
                + (cis ? "cis" : "trans") + ": " + graph.getName(atoms[0]) + " and " + graph.getName(atoms[3])
                + " lie on " + (cis ? "the same side." : "opposite sides.")};
}

}  // namespace

vector<Restriction> OpenMMFlow::findRestrictions(const MolecularGraph& graph,
                                                 const InternalCoordinates& coordinates) {
    vector<Restriction> result;
    set<int> centres;
    set<pair<int, int>> bonds;
    for (size_t i = 0; i < coordinates.torsionKinds.size(); i++) {
        const InternalCoordinates::Placement& placement = coordinates.placements[i + 3];
        int p = placement.bond, g = placement.angle;
        if (coordinates.torsionKinds[i] == Kind::Chiral && allDiffer(graph, graph.getNeighbors(p)))
            centres.insert(p);
        if (coordinates.torsionKinds[i] == Kind::CisTrans && graph.isBonded(g, placement.torsion))
            bonds.insert({min(p, g), max(p, g)});
    }
    for (int centre : centres)
        result.push_back(describeCentre(graph, centre));
    for (auto [p, g] : bonds) {
        int ring = graph.getRingSize(p, g), a = getMainSubstituent(graph, p, g),
            b = getMainSubstituent(graph, g, p);
        if ((ring == 0 || ring >= minRingWithIsomers) && a >= 0 && b >= 0)
            result.push_back(describeDoubleBond(graph, {a, p, g, b}));
    }
    return result;
}
