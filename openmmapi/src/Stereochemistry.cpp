#include "Stereochemistry.h"

#include <algorithm>
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

/** Whether an atom has two equal neighbours, which are the two arms of a ring, and all others differ: then it
 * and another such atom of the ring are cis or trans to each other. */
bool hasEqualRingArms(const MolecularGraph& graph, int centre) {
    const vector<int>& n = graph.getNeighbors(centre);
    int numEqual = 0, numInRing = 0;
    for (size_t a = 0; a < n.size(); a++)
        for (size_t b = 0; b < a; b++)
            if (graph.getRank(n[a]) == graph.getRank(n[b])) {
                numEqual++;
                numInRing += graph.getRingSize(centre, n[a]) > 0 && graph.getRingSize(centre, n[b]) > 0;
            }
    return numEqual == 1 && numInRing == 1;
}

/** Whether the substituents at both ends of a cumulene, which begins with the bond from `end` to `next`,
 * differ. */
bool hasIsomers(const MolecularGraph& graph, int end, int next) {
    auto substituentsDiffer = [&](int atom, int chain) {
        vector<int> others = graph.getNeighbors(atom);
        others.erase(find(others.begin(), others.end(), chain));
        return allDiffer(graph, others);
    };
    int before = end, atom = next;
    while (graph.getShape(atom) == MolecularGraph::Shape::Linear) {
        const vector<int>& n = graph.getNeighbors(atom);
        const int after = n[0] == before ? n[1] : n[0];
        before = atom;
        atom = after;
    }
    return substituentsDiffer(end, next) && substituentsDiffer(atom, before);
}

/** "cis" or "trans", and the clause that says so of the atoms at the two ends. */
pair<string, string> describeSides(const MolecularGraph& graph, const vector<int>& atoms) {
    const bool cis = cos(graph.getTorsion(atoms[0], atoms[1], atoms[2], atoms[3])) > 0;
    return {cis ? "cis" : "trans", graph.getName(atoms[0]) + " and " + graph.getName(atoms[3]) + " lie on "
                                       + (cis ? "the same side." : "opposite sides.")};
}

/** The atoms at the two ends of a cumulene, whose torsion the reference conformation fixes. */
Restriction describeCumulene(const MolecularGraph& graph, const InternalCoordinates::Placement& placement) {
    const vector<int> atoms = {placement.atom, placement.bond, placement.angle, placement.torsion};
    const double angle = graph.getTorsion(atoms[0], atoms[1], atoms[2], atoms[3]);
    auto [kind, clause] = describeSides(graph, atoms);
    if (fabs(sin(angle)) > fabs(cos(angle))) {
        kind = "axis";
        clause =
            graph.getName(atoms[0]) + " and " + graph.getName(atoms[3]) + " keep the hand of their axis.";
    }
    return {kind, atoms,
            "The double bonds between " + graph.getName(atoms[1]) + " and " + graph.getName(atoms[3])
                + " are held: " + clause};
}

Restriction describeDoubleBond(const MolecularGraph& graph, const vector<int>& atoms) {
    const auto [kind, clause] = describeSides(graph, atoms);
    return {kind, atoms,
            "The bond " + graph.getName(atoms[1]) + "-" + graph.getName(atoms[2]) + " is " + kind + ": "
                + clause};
}

}  // namespace

vector<Restriction> OpenMMFlow::findRestrictions(const MolecularGraph& graph,
                                                 const InternalCoordinates& coordinates) {
    vector<Restriction> result;
    set<int> centres, relative;
    set<pair<int, int>> bonds;
    for (size_t i = 0; i < coordinates.torsionKinds.size(); i++) {
        const InternalCoordinates::Placement& placement = coordinates.placements[i + 3];
        int p = placement.bond, g = placement.angle;
        if (coordinates.torsionKinds[i] == Kind::Chiral) {
            if (allDiffer(graph, graph.getNeighbors(p)))
                centres.insert(p);
            else if (hasEqualRingArms(graph, p))
                relative.insert(p);
        }
        if (coordinates.torsionKinds[i] == Kind::CisTrans) {
            if (graph.isBonded(g, placement.torsion))
                bonds.insert({min(p, g), max(p, g)});
            else if (hasIsomers(graph, p, g))
                result.push_back(describeCumulene(graph, placement));
        }
    }
    // One such centre alone is no stereocentre: a mirror image is the molecule itself.
    if (relative.size() > 1)
        centres.insert(relative.begin(), relative.end());
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
