#ifndef OPENMMFLOW_MOLECULE_H_
#define OPENMMFLOW_MOLECULE_H_

#include <string>
#include <utility>
#include <vector>

#include "openmm/Vec3.h"

namespace OpenMMFlow {

/**
 * One connected molecule: its atoms, its bonds and a reference conformation. This is what internal
 * coordinates are chosen from. In Python it is made from a Topology and positions.
 */
struct Molecule {
    /** The atomic number of each atom; 0 for a particle that is not an atom. */
    std::vector<int> atomicNumbers;
    /** The names of the atoms, for messages and metadata. May be empty. */
    std::vector<std::string> atomNames;
    /** Pairs of atom indices. */
    std::vector<std::pair<int, int>> bonds;
    /** The order of each bond (1, 2, 3; 0 = not known). May be empty. */
    std::vector<int> bondOrders;
    /** The reference conformation, in nm. It fixes the hand of stereocentres and cis/trans of double bonds.
     */
    std::vector<OpenMM::Vec3> positions;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_MOLECULE_H_*/
