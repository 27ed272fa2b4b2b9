#include "MolecularGraph.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "openmm/OpenMMException.h"

using namespace OpenMMFlow;
using namespace std;
using OpenMM::OpenMMException;

namespace {

// Where geometry decides, all in one place. The lengths in nm tell double bonds from single ones where no
// bond order is given; each lies about halfway, since bonds vibrate by 0.003 nm at 300 K.
/** Two atoms nearer than this coincide: the shortest bond there is, H-H, measures 0.074 nm. */
const double minDistance = 0.03;
/** A longer bond means that positions are in angstrom, or that the molecule is broken across a periodic
 * boundary. */
const double maxBondLength = 0.5;
/** An atom with two neighbours at a wider angle is linear. */
const double linearAngle = 160 * degree;
/** An atom with four neighbours is tetrahedral unless one angle is wider: strained rings and vibration stay
 * below. */
const double widestTetrahedralAngle = 150 * degree;
/** An atom with three neighbours is planar if its angles sum to more than this: amines have 330, amides 350
 * to 360. */
const double planarAngleSum = 345 * degree;
/** Pyramids of phosphorus, sulfur and their heavier relatives do not turn inside out. Those of amines,
 * carbanions and hydronium do; and what else looks like a pyramid is a planar centre, such as a metal's, that
 * vibrates. */
const set<int> stablePyramids = {15, 16, 33, 34, 51, 52};
/** ... unless they are as flat as SO3 becomes when it vibrates: phosphines and sulfoxides have 300 to 320. */
const double flatAngleSum = 335 * degree;
/** C=C between trigonal carbons (0.134; butadiene's single bond has 0.147). */
const double doubleCarbonCarbon = 0.142;
/** C=N of an imine or iminium ion (0.128; aniline's single bond has 0.139). */
const double doubleCarbonNitrogen = 0.133;
/** C-N of a guanidinium ion, an amidine or an amino group beside a ring nitrogen (0.132 to 0.136), if not
 * twisted. */
const double partialDoubleCarbonNitrogen = 0.143;
/** N=N (0.125) and the partial double bond of a nitrosamine (0.133); N-N single bonds have 0.140. */
const double doubleNitrogenNitrogen = 0.136;
/** The bonds of a carbon inside a cumulene differ by less (0.131 and 0.127), those of an alkyne by more. */
const double maxCumulatedDifference = 0.011;
const int maxPlanarRing = 7;

const char* elementSymbols[] = {
    "",   "H",  "He", "Li", "Be", "B",  "C",  "N",  "O",  "F",  "Ne", "Na", "Mg", "Al", "Si", "P",  "S",
    "Cl", "Ar", "K",  "Ca", "Sc", "Ti", "V",  "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As",
    "Se", "Br", "Kr", "Rb", "Sr", "Y",  "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn",
    "Sb", "Te", "I",  "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho",
    "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W",  "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po",
    "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U",  "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md",
    "No", "Lr", "Rf", "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og"};
const int maxAtomicNumber = sizeof(elementSymbols) / sizeof(elementSymbols[0]) - 1;

/** Whether a name is one that a flow file can hold. */
bool isPlain(const string& name) {
    const size_t maxLength = 60;
    return !name.empty() && name.size() <= maxLength
           && all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; });
}

template <class... Parts>
[[noreturn]] void throwMessage(const Parts&... parts) {
    stringstream message;
    (message << ... << parts);
    throw OpenMMException(message.str());
}

}  // namespace

MolecularGraph::MolecularGraph(const Molecule& molecule) : atomicNumbers(molecule.atomicNumbers) {
    size_t count = atomicNumbers.size();
    if (count < 3)
        throwMessage("Internal coordinates need a molecule of at least 3 atoms, and this one has ", count,
                     ".");
    if (molecule.positions.size() != count)
        throwMessage("The molecule has ", count, " atoms but ", molecule.positions.size(),
                     " positions: give the reference conformation one position per atom.");
    if (!molecule.atomNames.empty() && molecule.atomNames.size() != count)
        throwMessage("The molecule has ", count, " atoms but ", molecule.atomNames.size(),
                     " atom names: give one name per atom, or none.");
    for (size_t i = 0; i < count; i++)
        if (atomicNumbers[i] < 1 || atomicNumbers[i] > maxAtomicNumber)
            throwMessage(
                "Particle ", i, " has atomic number ", atomicNumbers[i],
                " and is not an atom: rebuild the System without virtual sites and other extra particles.");
    for (size_t i = 0; i < count; i++)
        names.push_back(!molecule.atomNames.empty() && isPlain(molecule.atomNames[i])
                            ? molecule.atomNames[i]
                            : elementSymbols[atomicNumbers[i]] + to_string(i));
    for (const OpenMM::Vec3& r : molecule.positions)
        positions.push_back(shared::make_real3(r[0], r[1], r[2]));
    addBonds(molecule);
    checkPositions();
    checkConnected();
    vector<vector<int>> signatures(getNumAtoms());
    for (int i = 0; i < getNumAtoms(); i++)
        signatures[i] = {atomicNumbers[i], (int)neighbors[i].size()};
    ranks = rankAtoms(signatures);
    for (size_t i = 0; i < count; i++)
        shapes.push_back(findShape(i));
}

void MolecularGraph::addBonds(const Molecule& molecule) {
    int count = atomicNumbers.size();
    if (!molecule.bondOrders.empty() && molecule.bondOrders.size() != molecule.bonds.size())
        throwMessage("The molecule has ", molecule.bonds.size(), " bonds but ", molecule.bondOrders.size(),
                     " bond orders: give one order per bond, or none.");
    vector<map<int, int>> bonded(count);
    for (size_t b = 0; b < molecule.bonds.size(); b++) {
        auto [i, j] = molecule.bonds[b];
        if (i < 0 || j < 0 || i >= count || j >= count)
            throwMessage("Bond ", b, " joins atoms ", i, " and ", j, ", but atom indices go from 0 to ",
                         count - 1, ".");
        if (i == j)
            throwMessage("Bond ", b, " joins atom ", names[i], " (index ", i, ") to itself.");
        int order = molecule.bondOrders.empty() ? 0 : molecule.bondOrders[b];
        if (order < 0 || order > 3)
            throwMessage("Bond ", b, " has order ", order,
                         ", which is not 1, 2, 3, or 0 where it is not known.");
        auto previous = bonded[i].find(j);
        if (previous != bonded[i].end() && previous->second != order)
            throwMessage("The bond between ", names[i], " and ", names[j], " (indices ", i, " and ", j,
                         ") is given twice, with different orders.");
        bonded[i][j] = bonded[j][i] = order;
    }
    neighbors.resize(count);
    orders.resize(count);
    for (int i = 0; i < count; i++)
        for (auto [j, order] : bonded[i]) {
            neighbors[i].push_back(j);
            orders[i].push_back(order);
        }
}

void MolecularGraph::checkPositions() const {
    for (int i = 0; i < getNumAtoms(); i++)
        if (!isfinite(positions[i].x) || !isfinite(positions[i].y) || !isfinite(positions[i].z))
            throwMessage("The position of atom ", names[i], " (index ", i,
                         ") in the reference conformation is not finite.");
    for (int i = 0; i < getNumAtoms(); i++)
        for (int j = 0; j < i; j++)
            if (getLength(i, j) < minDistance)
                throwMessage("Atoms ", names[j], " and ", names[i], " (indices ", j, " and ", i,
                             ") overlap in the reference conformation: they are ", getLength(i, j),
                             " nm apart.");
    for (int i = 0; i < getNumAtoms(); i++)
        for (int j : neighbors[i])
            if (getLength(i, j) > maxBondLength)
                throwMessage(
                    "The bond between ", names[i], " and ", names[j], " (indices ", i, " and ", j, ") is ",
                    getLength(i, j),
                    " nm long in the reference conformation: give positions in nm, of a molecule that is "
                    "not split "
                    "across a periodic boundary.");
}

void MolecularGraph::checkConnected() const {
    vector<int> distances = getDistances(0);
    for (int i = 0; i < getNumAtoms(); i++)
        if (distances[i] < 0)
            throwMessage("The atoms form several molecules: no bonds lead from atom ", names[0],
                         " (index 0) to atom ", names[i], " (index ", i,
                         "). Choose the particles of one molecule, or add the missing bond.");
}

vector<int> MolecularGraph::rankAtoms(vector<vector<int>> signatures) const {
    // Colour refinement: an atom's new colour is its old one and those of its neighbours, until no class
    // splits further.
    vector<int> ranks;
    for (size_t numClasses = 0;;) {
        map<vector<int>, int> classes;
        for (const vector<int>& signature : signatures)
            classes[signature] = 0;
        int next = 0;
        for (auto& entry : classes)
            entry.second = next++;
        ranks.clear();
        for (const vector<int>& signature : signatures)
            ranks.push_back(classes[signature]);
        if (classes.size() == numClasses)
            return ranks;
        numClasses = classes.size();
        for (int i = 0; i < getNumAtoms(); i++) {
            signatures[i].clear();
            for (int j : neighbors[i])
                signatures[i].push_back(ranks[j]);
            sort(signatures[i].begin(), signatures[i].end());
            signatures[i].insert(signatures[i].begin(), ranks[i]);
        }
    }
}

bool MolecularGraph::isBonded(int i, int j) const {
    return binary_search(neighbors[i].begin(), neighbors[i].end(), j);
}

vector<int> MolecularGraph::getDistances(int atom) const {
    vector<int> distances(getNumAtoms(), -1), queue = {atom};
    distances[atom] = 0;
    for (size_t next = 0; next < queue.size(); next++)
        for (int j : neighbors[queue[next]])
            if (distances[j] < 0) {
                distances[j] = distances[queue[next]] + 1;
                queue.push_back(j);
            }
    return distances;
}

double MolecularGraph::getLength(int i, int j) const {
    return shared::measureBond(positions[i], positions[j]);
}

double MolecularGraph::getAngle(int i, int j, int k) const {
    return shared::measureAngle(positions[i], positions[j], positions[k]);
}

double MolecularGraph::getTorsion(int i, int j, int k, int l) const {
    return shared::measureTorsion(positions[i], positions[j], positions[k], positions[l]);
}

int MolecularGraph::getBondOrder(int i, int j) const {
    return orders[i][lower_bound(neighbors[i].begin(), neighbors[i].end(), j) - neighbors[i].begin()];
}

bool MolecularGraph::isTerminalChalcogen(int atom) const {
    int number = atomicNumbers[atom];
    return neighbors[atom].size() == 1 && (number == 8 || number == 16 || number == 34);
}

bool MolecularGraph::isConjugated(int carbon, int nitrogen) const {
    const vector<int>& n = neighbors[carbon];
    if (atomicNumbers[carbon] != 6 || atomicNumbers[nitrogen] != 7 || n.size() != 3)
        return false;
    bool amide = any_of(n.begin(), n.end(), [&](int k) { return isTerminalChalcogen(k); });
    bool amidine = any_of(n.begin(), n.end(), [&](int k) { return k != nitrogen && atomicNumbers[k] == 7; });
    return amide || (amidine && getLength(carbon, nitrogen) < partialDoubleCarbonNitrogen);
}

double MolecularGraph::getAngleSum(int atom) const {
    const vector<int>& n = neighbors[atom];
    return getAngle(n[0], atom, n[1]) + getAngle(n[1], atom, n[2]) + getAngle(n[2], atom, n[0]);
}

bool MolecularGraph::isInverting(int atom) const {
    const bool keepsLonePair = stablePyramids.count(atomicNumbers[atom]) != 0;
    return shapes[atom] == Shape::Pyramidal && (!keepsLonePair || getAngleSum(atom) > flatAngleSum);
}

MolecularGraph::Shape MolecularGraph::findShape(int atom) const {
    const vector<int>& n = neighbors[atom];
    switch (n.size()) {
        case 1:
            return Shape::Terminal;
        case 2:
            return getAngle(n[0], atom, n[1]) > linearAngle ? Shape::Linear : Shape::Bent;
        case 3: {
            // Vibration bends the nitrogen of an amide as far as that of an amine, but about a plane.
            bool conjugated = any_of(n.begin(), n.end(), [&](int j) { return isConjugated(j, atom); });
            return conjugated || getAngleSum(atom) > planarAngleSum ? Shape::Trigonal : Shape::Pyramidal;
        }
        case 4:
            // Square-planar and see-saw centres have neighbours on opposite sides; a tilt is no hand.
            for (int i : n)
                for (int j : n)
                    if (i < j && getAngle(i, atom, j) > widestTetrahedralAngle)
                        return Shape::Other;
            return Shape::Tetrahedral;
        default:
            return Shape::Other;
    }
}

bool MolecularGraph::isRigid(int i, int j) const {
    for (int atom : {i, j})
        if (shapes[atom] != Shape::Bent && shapes[atom] != Shape::Linear && shapes[atom] != Shape::Trigonal)
            return false;
    int order = getBondOrder(i, j);
    if (order > 1)
        return order == 2;
    if (atomicNumbers[i] > atomicNumbers[j])
        swap(i, j);
    double length = getLength(i, j);
    // Partial double bonds, even where a Lewis structure says single.
    if (shapes[j] == Shape::Trigonal && isConjugated(i, j))
        return true;
    if (order == 1)
        return false;
    if (atomicNumbers[i] == 6 && atomicNumbers[j] == 6)
        return length < doubleCarbonCarbon && isFreeForDoubleBond(i, j) && isFreeForDoubleBond(j, i);
    if (atomicNumbers[i] == 6 && atomicNumbers[j] == 7)
        return length < doubleCarbonNitrogen && isFreeForDoubleBond(i, j);
    return atomicNumbers[i] == 7 && atomicNumbers[j] == 7 && length < doubleNitrogenNitrogen;
}

bool MolecularGraph::isFreeForDoubleBond(int carbon, int partner) const {
    const vector<int>& n = neighbors[carbon];
    if (shapes[carbon] == Shape::Linear)
        return fabs(getLength(carbon, n[0]) - getLength(carbon, n[1])) < maxCumulatedDifference;
    bool inRingTogether = isInPlanarRing(carbon, partner);
    return none_of(n.begin(), n.end(), [&](int k) {
        if (k == partner)
            return false;
        bool shorter = atomicNumbers[k] == 6 && shapes[k] == Shape::Trigonal
                       && getLength(carbon, k) < getLength(carbon, partner);
        return shorter || isTerminalChalcogen(k) || (!inRingTogether && isInPlanarRing(carbon, k));
    });
}

bool MolecularGraph::isInPlanarRing(int i, int j) const {
    int size = getRingSize(i, j, true);
    return size > 0 && size <= maxPlanarRing;
}

int MolecularGraph::getRingSize(int i, int j) const {
    return getRingSize(i, j, false);
}

int MolecularGraph::getRingSize(int i, int j, bool planarOnly) const {
    auto isAllowed = [&](int atom) {
        return !planarOnly || shapes[atom] == Shape::Trigonal || shapes[atom] == Shape::Bent;
    };
    if (!isAllowed(i) || !isAllowed(j))
        return 0;
    // Breadth first from i to j, not along their bond.
    vector<int> distances(getNumAtoms(), -1), queue = {i};
    distances[i] = 0;
    for (size_t next = 0; next < queue.size(); next++)
        for (int k : neighbors[queue[next]]) {
            if (distances[k] >= 0 || !isAllowed(k) || (queue[next] == i && k == j))
                continue;
            distances[k] = distances[queue[next]] + 1;
            if (k == j)
                return distances[k] + 1;
            queue.push_back(k);
        }
    return 0;
}
