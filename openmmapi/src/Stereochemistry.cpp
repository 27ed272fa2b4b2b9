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

/** The two ends of a double bond or of a cumulene, and the neighbour of each on the way to the other. */
struct Axis {
    int first, afterFirst, last, beforeLast;
};

Axis makeAxis(const MolecularGraph& graph, int end, int next) {
    int before = end, atom = next;
    while (graph.getShape(atom) == MolecularGraph::Shape::Linear) {
        const vector<int>& n = graph.getNeighbors(atom);
        const int after = n[0] == before ? n[1] : n[0];
        before = atom;
        atom = after;
    }
    return {end, next, atom, before};
}

/** The neighbours of an atom but one, in the order of their ranks. */
vector<int> getSubstituents(const MolecularGraph& graph, const vector<int>& ranks, int atom, int but = -1) {
    vector<int> others;
    for (int i : graph.getNeighbors(atom))
        if (i != but)
            others.push_back(i);
    sort(others.begin(), others.end(), [&](int i, int j) { return ranks[i] < ranks[j]; });
    return others;
}

bool allDiffer(const vector<int>& ranks, const vector<int>& atoms) {
    set<int> different;
    for (int i : atoms)
        different.insert(ranks[i]);
    return different.size() == atoms.size();
}

/** Whether both ends of an axis have substituents that differ, so that it has isomers. */
bool hasIsomers(const MolecularGraph& graph, const vector<int>& ranks, const Axis& axis) {
    const vector<int> a = getSubstituents(graph, ranks, axis.first, axis.afterFirst),
                      b = getSubstituents(graph, ranks, axis.last, axis.beforeLast);
    const int ring = graph.getRingSize(axis.first, axis.afterFirst);
    return !a.empty() && !b.empty() && a.size() < 3 && b.size() < 3 && allDiffer(ranks, a)
           && allDiffer(ranks, b) && (ring == 0 || ring >= minRingWithIsomers);
}

/**
 * Ranks that also tell apart atoms which differ in nothing but the configuration of what is near them, such
 * as the middle atom's neighbours in ribitol. A centre or an axis counts once its substituents differ.
 */
vector<int> rankByConfiguration(const MolecularGraph& graph, const set<int>& centres,
                                const vector<Axis>& axes) {
    vector<int> ranks;
    for (int i = 0; i < graph.getNumAtoms(); i++)
        ranks.push_back(graph.getRank(i));
    for (size_t numClasses = 0;;) {
        vector<vector<int>> signatures;
        for (int rank : ranks)
            signatures.push_back({rank});
        for (int centre : centres) {
            const vector<int> n = getSubstituents(graph, ranks, centre);
            if (allDiffer(ranks, n))
                signatures[centre].push_back(graph.getTorsion(n[1], n[0], centre, n[2]) > 0);
        }
        for (const Axis& axis : axes)
            if (hasIsomers(graph, ranks, axis)) {
                const double torsion = graph.getTorsion(
                    getSubstituents(graph, ranks, axis.first, axis.afterFirst).back(), axis.first, axis.last,
                    getSubstituents(graph, ranks, axis.last, axis.beforeLast).back());
                // Right angles have a hand, flat ones are cis or trans: quarters of a turn tell all apart.
                const int quarter = (int)lround(torsion / (M_PI / 2)) & 3;
                signatures[axis.first].push_back(2 + quarter);
                signatures[axis.last].push_back(2 + quarter);
            }
        for (vector<int>& signature : signatures)
            sort(signature.begin() + 1, signature.end());
        ranks = graph.rankAtoms(signatures);
        const size_t found = set<int>(ranks.begin(), ranks.end()).size();
        if (found == numClasses)
            return ranks;
        numClasses = found;
    }
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
 */
int getMainSubstituent(const MolecularGraph& graph, const vector<int>& ranks, int end, int across) {
    const vector<int> others = getSubstituents(graph, ranks, end, across);
    auto key = [&](int i) {
        return make_tuple(getBranchSize(graph, i, end), graph.getAtomicNumber(i), ranks[i]);
    };
    return *max_element(others.begin(), others.end(), [&](int i, int j) { return key(i) < key(j); });
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

/** Whether an atom has two equal neighbours (but one), which are the two arms of a ring, and all others
 * differ: then it and another such atom of the ring are cis or trans to each other. */
bool hasEqualRingArms(const MolecularGraph& graph, const vector<int>& ranks, int centre, int but = -1) {
    const vector<int> n = getSubstituents(graph, ranks, centre, but);
    int numEqual = 0, numInRing = 0;
    for (size_t a = 0; a < n.size(); a++)
        for (size_t b = 0; b < a; b++)
            if (ranks[n[a]] == ranks[n[b]]) {
                numEqual++;
                numInRing += graph.getRingSize(centre, n[a]) > 0 && graph.getRingSize(centre, n[b]) > 0;
            }
    return numEqual == 1 && numInRing == 1;
}

/** Whether an axis ends in the middle of a ring with two equal arms, and its other end tells up from down. */
bool endsInEqualRingArms(const MolecularGraph& graph, const vector<int>& ranks, const Axis& axis) {
    const bool equalFirst = hasEqualRingArms(graph, ranks, axis.first, axis.afterFirst),
               equalLast = hasEqualRingArms(graph, ranks, axis.last, axis.beforeLast),
               differFirst = allDiffer(ranks, getSubstituents(graph, ranks, axis.first, axis.afterFirst)),
               differLast = allDiffer(ranks, getSubstituents(graph, ranks, axis.last, axis.beforeLast));
    return (equalFirst && (equalLast || differLast)) || (equalLast && differFirst);
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
    set<int> held;
    set<pair<int, int>> bonds;
    vector<Axis> axes;
    vector<InternalCoordinates::Placement> cumulenes;
    for (size_t i = 0; i < coordinates.torsionKinds.size(); i++) {
        const InternalCoordinates::Placement& placement = coordinates.placements[i + 3];
        const int p = placement.bond, g = placement.angle;
        if (coordinates.torsionKinds[i] == Kind::Chiral)
            held.insert(p);
        if (coordinates.torsionKinds[i] != Kind::CisTrans)
            continue;
        if (graph.isBonded(g, placement.torsion)) {
            if (bonds.insert({min(p, g), max(p, g)}).second)
                axes.push_back({p, g, g, p});
        } else {
            cumulenes.push_back(placement);
            axes.push_back(makeAxis(graph, p, g));
        }
    }
    const vector<int> ranks = rankByConfiguration(graph, held, axes);
    set<int> centres, relative;
    for (int centre : held)
        if (allDiffer(ranks, graph.getNeighbors(centre)))
            centres.insert(centre);
        else if (hasEqualRingArms(graph, ranks, centre))
            relative.insert(centre);
    const auto isRelative = [&](const Axis& axis) { return endsInEqualRingArms(graph, ranks, axis); };
    // One such centre or axis alone has no isomers: a mirror image is the molecule itself.
    const bool hasRelatives = relative.size() + count_if(axes.begin(), axes.end(), isRelative) > 1;
    if (hasRelatives)
        centres.insert(relative.begin(), relative.end());
    auto isFixed = [&](const Axis& axis) {
        return hasIsomers(graph, ranks, axis) || (hasRelatives && isRelative(axis));
    };
    vector<Restriction> result;
    for (int centre : centres)
        result.push_back(describeCentre(graph, centre));
    for (const auto& placement : cumulenes)
        if (isFixed(makeAxis(graph, placement.bond, placement.angle)))
            result.push_back(describeCumulene(graph, placement));
    for (auto [p, g] : bonds)
        if (isFixed({p, g, g, p}))
            result.push_back(describeDoubleBond(graph, {getMainSubstituent(graph, ranks, p, g), p, g,
                                                        getMainSubstituent(graph, ranks, g, p)}));
    return result;
}
