#ifndef OPENMMFLOW_STEREOCHEMISTRY_H_
#define OPENMMFLOW_STEREOCHEMISTRY_H_

#include <string>
#include <vector>

#include "MolecularGraph.h"
#include "openmmflow/internal/InternalCoordinates.h"

namespace OpenMMFlow {

/** One thing about a molecule that its internal coordinates hold as it is in the reference conformation. */
struct Restriction {
    /** "stereocentre", "cis" or "trans". */
    std::string kind;
    /** The centre and then its neighbours; for cis and trans, the four atoms of the torsion. */
    std::vector<int> atoms;
    /** A sentence in the names of the atoms. */
    std::string description;
};

/**
 * Find the stereocentres and the double bonds whose isomers differ, and which a flow in these coordinates
 * therefore never exchanges. Centres with like substituents, such as a methyl carbon, are left out: for them,
 * what is held is only which label belongs to which atom. So are rings of fewer than eight atoms, whose
 * double bonds have but one isomer.
 */
std::vector<Restriction> findRestrictions(const MolecularGraph& graph,
                                          const InternalCoordinates& coordinates);

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_STEREOCHEMISTRY_H_*/
