#ifndef OPENMMFLOW_COORDINATECHOICE_H_
#define OPENMMFLOW_COORDINATECHOICE_H_

#include <optional>
#include <vector>

#include "MolecularGraph.h"
#include "openmmflow/internal/InternalCoordinates.h"

namespace OpenMMFlow {

/**
 * Places the atoms of a molecule one after another, along a spanning tree that grows breadth first from a
 * central heavy atom (which keeps chains of placements short), heavy atoms before hydrogens.
 *
 * An atom's bond refers to the atom p that it grows from, its angle to what p's own bond refers to, g. Its
 * torsion refers to a sibling (another neighbour of p) where one has been placed, else to another neighbour
 * of g: so every rotor about g-p is one coordinate, and the siblings follow it. Where atoms lie on a line, it
 * looks beyond the line for references.
 *
 * The last atom of a ring is bonded to two atoms that have been placed. Its bond refers to one of them, and
 * its angle to the other: so the length of the bond that closes the ring depends on this angle and on the
 * distance of the two, and not on the torsions between them one by one. This is not done where the torsion
 * that the atom would have otherwise is needed to keep a hand, or cis or trans.
 */
class CoordinateChoice {
public:
    /** An atom with what its coordinates refer to, and what its torsion is (the first three have none). */
    struct Choice {
        InternalCoordinates::Placement placement;
        InternalCoordinates::TorsionKind kind;
    };
    explicit CoordinateChoice(const MolecularGraph& graph);
    /** The atoms in the order in which they are placed. */
    const std::vector<Choice>& getChoices() const { return choices; }
    /** The planar or perpendicular torsion (a multiple of pi/2) near which a CisTrans torsion stays. */
    static double getCisTransCenter(double torsion);

private:
    /** An atom that branches off the end of a straight chain of bonds, and the chain, from its beginning. */
    struct Branch {
        int atom;
        std::vector<int> chain;
    };
    void placeFirstAtoms();
    void placeNext();
    void place(const Choice& choice);
    bool isPlaced(int atom) const { return order[atom] >= 0; }
    bool isGood(int i, int j, int k, double margin) const;
    std::vector<int> getPlacedNeighbors(int atom) const;
    std::vector<int> getFrontier() const;
    std::vector<Branch> getBranches(int from, int first, double margin) const;
    std::optional<Choice> findReferences(int atom, double margin) const;
    Choice findAnyReferences(int atom) const;
    std::optional<Choice> findUsualReferences(int atom, double margin) const;
    /** Whether a torsion keeps a hand, or cis or trans, and no other one does. */
    bool isNeeded(const Choice& choice) const;
    /** The references of an atom with two neighbours that have been placed, where that is possible. */
    std::optional<Choice> closeRing(int atom, double margin) const;
    /** Whether the bond is in a ring that hardly puckers. */
    bool isStiff(int i, int j) const;
    Choice chooseSibling(int atom, int p, int g, int sibling) const;
    Choice chooseRotor(int atom, int p, const Branch& branch) const;
    const MolecularGraph& graph;
    std::vector<Choice> choices;
    std::vector<int> order, depth;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_COORDINATECHOICE_H_*/
