#include "CoordinateChoice.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "openmm/OpenMMException.h"

using namespace OpenMMFlow;
using namespace std;
using Kind = InternalCoordinates::TorsionKind;
using Shape = MolecularGraph::Shape;

namespace {

/** No reference angle comes nearer to 0 or 180 degrees than this, ... */
const double wideMargin = 20 * degree;
/** ... or than this where a straight chain leaves no better choice. */
const double narrowMargin = 10 * degree;
/** A sibling of a tetrahedral centre is at 120 degrees; this near to 0 or 180 it says nothing about a hand.
 */
const double minChiralTorsion = 10 * degree;
/** A double bond that the reference conformation twists further than this is not held planar. */
const double maxTwist = 45 * degree;
/** In rings up to this size nothing rotates or puckers far. */
const int maxStiffRing = 4;

}  // namespace

CoordinateChoice::CoordinateChoice(const MolecularGraph& graph)
    : graph(graph), order(graph.getNumAtoms(), -1), depth(graph.getNumAtoms(), 0) {
    placeFirstAtoms();
    while ((int)choices.size() < graph.getNumAtoms())
        placeNext();
}

void CoordinateChoice::place(const Choice& choice) {
    const InternalCoordinates::Placement& p = choice.placement;
    order[p.atom] = choices.size();
    depth[p.atom] = p.bond < 0 ? 0 : depth[p.bond] + 1;
    choices.push_back(choice);
}

bool CoordinateChoice::isGood(int i, int j, int k, double margin) const {
    double angle = graph.getAngle(i, j, k);
    return angle > margin && angle < M_PI - margin;
}

void CoordinateChoice::placeFirstAtoms() {
    struct Start {
        tuple<bool, int, int, int, int> key;
        int root, first, second;
    };
    for (double margin : {wideMargin, narrowMargin}) {
        vector<Start> starts;
        for (int root = 0; root < graph.getNumAtoms(); root++) {
            vector<int> arms = graph.getNeighbors(root);
            if (arms.size() < 2)
                continue;
            sort(arms.begin(), arms.end(), [&](int i, int j) {
                return make_tuple(graph.isHydrogen(i), graph.getRank(i), i)
                       < make_tuple(graph.isHydrogen(j), graph.getRank(j), j);
            });
            vector<int> distances = graph.getDistances(root);
            int eccentricity = 0, sum = 0;
            for (int i = 0; i < graph.getNumAtoms(); i++)
                if (!graph.isHydrogen(i)) {
                    eccentricity = max(eccentricity, distances[i]);
                    sum += distances[i];
                }
            for (size_t a = 0; a < arms.size(); a++)
                for (size_t b = a + 1; b < arms.size(); b++)
                    if (isGood(arms[a], root, arms[b], margin))
                        starts.push_back(
                            {{graph.isHydrogen(root), eccentricity, sum, graph.getRank(root), root},
                             root,
                             arms[a],
                             arms[b]});
        }
        auto best = min_element(starts.begin(), starts.end(),
                                [](const Start& a, const Start& b) { return a.key < b.key; });
        if (best == starts.end())
            continue;
        place({{best->root, -1, -1, -1}, Kind::Free});
        place({{best->first, best->root, -1, -1}, Kind::Free});
        place({{best->second, best->root, best->first, -1}, Kind::Free});
        return;
    }
    throw OpenMM::OpenMMException(
        "The atoms of the reference conformation lie all on one line, where angles and torsions mean "
        "nothing: "
        "internal coordinates cannot describe a linear molecule.");
}

vector<int> CoordinateChoice::getPlacedNeighbors(int atom) const {
    vector<int> result;
    for (int i : graph.getNeighbors(atom))
        if (isPlaced(i))
            result.push_back(i);
    sort(result.begin(), result.end(), [&](int i, int j) { return order[i] < order[j]; });
    return result;
}

vector<int> CoordinateChoice::getFrontier() const {
    using Key = tuple<bool, int, int, int, int>;
    vector<Key> keys;
    for (int i = 0; i < graph.getNumAtoms(); i++)
        if (!isPlaced(i)) {
            vector<int> bonded = getPlacedNeighbors(i);
            if (!bonded.empty())
                keys.push_back(
                    {graph.isHydrogen(i), depth[bonded[0]], order[bonded[0]], graph.getRank(i), i});
        }
    sort(keys.begin(), keys.end());
    vector<int> result;
    for (const Key& key : keys)
        result.push_back(get<4>(key));
    return result;
}

void CoordinateChoice::placeNext() {
    vector<int> frontier = getFrontier();
    for (double margin : {wideMargin, narrowMargin})
        for (int atom : frontier)
            if (optional<Choice> choice = findReferences(atom, margin)) {
                place(*choice);
                return;
            }
    place(findAnyReferences(frontier[0]));
}

vector<CoordinateChoice::Branch> CoordinateChoice::getBranches(int from, int first, double margin) const {
    vector<Branch> result;
    vector<vector<int>> chains = {{first}};
    vector<char> seen(graph.getNumAtoms(), false);
    seen[from] = seen[first] = true;
    for (size_t next = 0; next < chains.size(); next++) {
        vector<int> chain = chains[next];
        int before = chain.size() > 1 ? chain[chain.size() - 2] : from;
        for (int i : getPlacedNeighbors(chain.back())) {
            if (seen[i])
                continue;
            seen[i] = true;
            if (!isGood(before, chain.back(), i, wideMargin)) {
                chains.push_back(chain);
                chains.back().push_back(i);
            } else if (isGood(from, first, i, margin))
                result.push_back({i, chain});
        }
    }
    return result;
}

optional<CoordinateChoice::Choice> CoordinateChoice::findUsualReferences(int atom, double margin) const {
    int p = getPlacedNeighbors(atom)[0];
    // The first of these is what p's bond refers to (around the root, the second atom).
    vector<int> around = getPlacedNeighbors(p);
    for (int g : around) {
        if (!isGood(atom, p, g, margin))
            continue;
        for (int sibling : around)
            if (sibling != g && isGood(g, p, sibling, margin))
                return chooseSibling(atom, p, g, sibling);
        for (const Branch& branch : getBranches(p, g, margin))
            if (branch.atom != atom)
                return chooseRotor(atom, p, branch);
    }
    // The atom continues a straight chain: its angle refers to an atom that branches off the chain's other
    // end. Its torsion, relative to the chain itself, then stays near 180 degrees.
    for (int g : around)
        for (const Branch& branch : getBranches(p, g, 0))
            if (!isGood(atom, p, g, margin) && isGood(atom, p, branch.atom, margin)
                && isGood(p, branch.atom, branch.chain.back(), margin))
                return Choice{{atom, p, branch.atom, branch.chain.back()}, Kind::Planar};
    return nullopt;
}

optional<CoordinateChoice::Choice> CoordinateChoice::findReferences(int atom, double margin) const {
    optional<Choice> usual = findUsualReferences(atom, margin);
    if (usual && isNeeded(*usual))
        return usual;
    optional<Choice> closure = closeRing(atom, margin);
    return closure ? closure : usual;
}

bool CoordinateChoice::isNeeded(const Choice& choice) const {
    const int p = choice.placement.bond;
    if (choice.kind == Kind::CisTrans)
        return !graph.isInPlanarRing(p, choice.placement.angle);
    if (choice.kind != Kind::Chiral)
        return false;
    // Any other torsion with a sibling tells the hand of p as well, and an atom outside rings will have one.
    for (const Choice& other : choices)
        if (other.kind == Kind::Chiral && other.placement.bond == p)
            return false;
    for (int i : graph.getNeighbors(p))
        if (!isPlaced(i) && i != choice.placement.atom && graph.getRingSize(i, p) == 0)
            return false;
    return true;
}

optional<CoordinateChoice::Choice> CoordinateChoice::closeRing(int atom, double margin) const {
    vector<int> bonded = getPlacedNeighbors(atom);
    for (int p : bonded) {
        vector<int> around = getPlacedNeighbors(p);
        // Where a sibling has been placed, the torsion with it keeps the hand of p. About a double bond, the
        // torsion of the first atom at p keeps cis or trans.
        if (around.size() != 1 || (graph.isRigid(p, around[0]) && !graph.isInPlanarRing(p, around[0])))
            continue;
        for (int g : bonded)
            if (g != p && !graph.isBonded(g, p) && isGood(atom, p, g, margin))
                for (int t : getPlacedNeighbors(g))
                    if (t != p && isGood(p, g, t, margin))
                        return Choice{{atom, p, g, t},
                                      isStiff(atom, p) && isStiff(atom, g) ? Kind::Planar : Kind::Free};
    }
    return nullopt;
}

bool CoordinateChoice::isStiff(int i, int j) const {
    return graph.isInPlanarRing(i, j) || graph.getRingSize(i, j) <= maxStiffRing;
}

CoordinateChoice::Choice CoordinateChoice::findAnyReferences(int atom) const {
    int p = getPlacedNeighbors(atom)[0];
    Choice best = {{atom, p, -1, -1}, Kind::Planar};
    double bestSine = -1;
    for (const Choice& g : choices)
        for (const Choice& t : choices) {
            int angle = g.placement.atom, torsion = t.placement.atom;
            if (angle == p || torsion == p || angle == torsion)
                continue;
            double sine = min(sin(graph.getAngle(atom, p, angle)), sin(graph.getAngle(p, angle, torsion)));
            if (sine > bestSine) {
                bestSine = sine;
                best.placement = {atom, p, angle, torsion};
            }
        }
    return best;
}

CoordinateChoice::Choice CoordinateChoice::chooseSibling(int atom, int p, int g, int sibling) const {
    Choice choice = {{atom, p, g, sibling}, Kind::Planar};
    bool aboveOrBelow = fabs(sin(graph.getTorsion(atom, p, g, sibling))) > sin(minChiralTorsion);
    if (graph.isInverting(p))
        choice.kind = Kind::Free;
    else if ((graph.getShape(p) == Shape::Tetrahedral || graph.getShape(p) == Shape::Pyramidal)
             && aboveOrBelow)
        choice.kind = Kind::Chiral;
    return choice;
}

CoordinateChoice::Choice CoordinateChoice::chooseRotor(int atom, int p, const Branch& branch) const {
    int g = branch.chain[0];
    Choice choice = {{atom, p, g, branch.atom}, Kind::Free};
    if (branch.chain.size() > 1) {
        // The atoms at the two ends of a cumulene stay where they are; those of an alkyne rotate.
        bool cumulene = true;
        for (size_t i = 0; i < branch.chain.size(); i++) {
            int before = i == 0 ? p : branch.chain[i - 1];
            cumulene &= graph.isRigid(before, branch.chain[i]);
            cumulene &= graph.getAtomicNumber(before) == 6 && graph.getAtomicNumber(branch.chain[i]) == 6;
        }
        if (cumulene)
            choice.kind = Kind::CisTrans;
        return choice;
    }
    int ring = graph.getRingSize(p, g);
    bool planar = fabs(sin(graph.getTorsion(atom, p, g, branch.atom))) < sin(maxTwist);
    if (planar && (graph.isRigid(p, g) || graph.isInPlanarRing(p, g)))
        choice.kind = Kind::CisTrans;
    else if (ring > 0 && ring <= maxStiffRing)
        choice.kind = Kind::Planar;
    return choice;
}

double CoordinateChoice::getCisTransCenter(double torsion) {
    return round(torsion / (M_PI / 2)) * (M_PI / 2);
}
