#ifndef OPENMMFLOW_MOLECULARGRAPH_H_
#define OPENMMFLOW_MOLECULARGRAPH_H_

#include <cmath>
#include <string>
#include <vector>

#include "openmmflow/Molecule.h"
#include "shared/DoubleMath.h"

namespace OpenMMFlow {

constexpr double degree = M_PI / 180;

/**
 * A molecule as a graph with a reference conformation, and the chemistry that the choice of coordinates asks
 * it for: which atoms are alike, how the bonds around an atom are arranged, about which bonds nothing
 * rotates.
 */
class MolecularGraph {
public:
    /** How the neighbours of an atom are arranged in the reference conformation. */
    enum class Shape { Terminal, Bent, Linear, Trigonal, Pyramidal, Tetrahedral, Other };
    /**
     * Check a molecule and create its graph.
     *
     * @throws OpenMM::OpenMMException if it is not one connected molecule of at least three atoms with
     * sensible positions
     */
    explicit MolecularGraph(const Molecule& molecule);

    int getNumAtoms() const { return (int)neighbors.size(); }
    int getAtomicNumber(int atom) const { return atomicNumbers[atom]; }
    bool isHydrogen(int atom) const { return atomicNumbers[atom] == 1; }
    /** The name of an atom; its element and index if it has none, or none in plain printable characters. */
    const std::string& getName(int atom) const { return names[atom]; }
    const std::vector<std::string>& getNames() const { return names; }
    /** The atoms bonded to an atom, in ascending order. */
    const std::vector<int>& getNeighbors(int atom) const { return neighbors[atom]; }
    bool isBonded(int i, int j) const;
    /**
     * The rank of an atom: equal for atoms that the graph does not tell apart (by elements and neighbours,
     * near and far), and independent of the order in which the atoms were given.
     */
    int getRank(int atom) const { return ranks[atom]; }
    /**
     * Rank atoms by what is known of each, a signature in integers, and then by their neighbours, near and
     * far.
     */
    std::vector<int> rankAtoms(std::vector<std::vector<int>> signatures) const;
    /** The number of bonds between an atom and each atom. */
    std::vector<int> getDistances(int atom) const;

    double getAngle(int i, int j, int k) const;
    double getTorsion(int i, int j, int k, int l) const;
    Shape getShape(int atom) const { return shapes[atom]; }
    /** Whether an atom is a pyramid that turns inside out, or is one only because it vibrates. */
    bool isInverting(int atom) const;
    /** Whether a bond is a double or partial double bond, so that what it joins stays cis or trans. */
    bool isRigid(int i, int j) const;
    /** Whether a bond lies in a ring of at most seven atoms, all of them trigonal or with two neighbours. */
    bool isInPlanarRing(int i, int j) const;
    /** The number of atoms in the smallest ring that a bond lies in, 0 if there is none. */
    int getRingSize(int i, int j) const;

private:
    void addBonds(const Molecule& molecule);
    void checkPositions() const;
    void checkConnected() const;
    Shape findShape(int atom) const;
    bool isTerminalChalcogen(int atom) const;
    /** Whether the geometry leaves an sp or sp2 carbon its one double bond, or one of two, for this
     * neighbour. */
    bool isFreeForDoubleBond(int carbon, int partner) const;
    /** Whether this is the C-N bond of an amide, thioamide, amidine, guanidinium ion or the like. */
    bool isConjugated(int carbon, int nitrogen) const;
    int getBondOrder(int i, int j) const;
    double getLength(int i, int j) const;
    /** The sum of the angles between the three neighbours of an atom. */
    double getAngleSum(int atom) const;
    int getRingSize(int i, int j, bool planarOnly) const;
    std::vector<int> atomicNumbers, ranks;
    std::vector<std::string> names;
    std::vector<std::vector<int>> neighbors, orders;
    std::vector<shared::real3> positions;
    std::vector<Shape> shapes;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_MOLECULARGRAPH_H_*/
