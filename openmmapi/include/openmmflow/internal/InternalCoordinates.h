#ifndef OPENMMFLOW_INTERNALCOORDINATES_H_
#define OPENMMFLOW_INTERNALCOORDINATES_H_

#include <string>
#include <vector>

#include "openmmflow/Molecule.h"

namespace OpenMMFlow {

class TensorFile;

/**
 * A choice of internal coordinates for a molecule of N >= 3 atoms: in which order the atoms are placed, and
 * relative to which atoms that are already there.
 *
 * The values of the coordinates are stored in the order bonds (N-1), angles (N-2), torsions (N-3):
 * `placements[i]` for i >= 1 has bond i-1, for i >= 2 angle N-1+(i-2), for i >= 3 torsion 2N-3+(i-3). Lengths
 * are in nm, angles in radians. The torsion of an atom which has a sibling (an atom bonded to the same parent
 * and placed before it) is relative to that sibling, so that only true rotors and rings are multimodal.
 *
 * A coordinate is either circular (a free torsion, on (-pi, pi]) or linear. The linear ones are standardised,
 * z = (value - center)/scale, where a linear torsion is first unwrapped to center-pi...center+pi. Their
 * support is b > 0, 0 < theta < pi, lower < torsion < upper.
 */
class InternalCoordinates {
public:
    /** One atom, and the atoms that its bond, angle and torsion refer to (-1 where it has none). */
    struct Placement {
        int atom, bond, angle, torsion;
    };
    /** Why a torsion is what it is. For metadata and messages; the maths needs only `circular`, `lower` and
     * `upper`. */
    enum class TorsionKind {
        /** A true rotor, or a ring torsion: circular. */
        Free,
        /** Relative to a sibling on a trigonal centre, or otherwise held near one value: linear on a full
           turn. */
        Planar,
        /** Relative to a sibling on a tetrahedral centre, whose hand is fixed by the reference conformation.
         */
        Chiral,
        /** About a double or partial double bond, whose cis/trans is fixed by the reference conformation. */
        CisTrans
    };

    /**
     * Choose internal coordinates automatically, for any connected molecule. Linear coordinates are centered
     * on the reference conformation, with a typical scale for their kind.
     *
     * @throws OpenMM::OpenMMException for fewer than 3 atoms, several molecules, particles that are not
     * atoms, a molecule whose atoms lie all on one line, bonds or positions that make no sense
     */
    static InternalCoordinates choose(const Molecule& molecule);
    /** Read everything but the atom names, which stand in the configuration of the model. The result is
     * valid. */
    static InternalCoordinates read(const TensorFile& file);
    void write(TensorFile& file) const;
    /**
     * Check that every atom is placed once and relative to atoms that are there already, that every array has
     * its size, and that centers, scales and supports make sense.
     *
     * @throws OpenMM::OpenMMException which names what is wrong
     */
    void validate() const;

    int getNumParticles() const { return (int)placements.size(); }
    /** 3N-6. */
    int getNumCoordinates() const { return (int)center.size(); }
    int getNumLinear() const;
    /**
     * Get the values of the coordinates, unwrapped about their centers but not standardised.
     *
     * @param positions   N positions, x y z in nm
     */
    std::vector<double> measure(const double* positions) const;
    /**
     * Get the gradient by the values of the coordinates of a function that does not change with translations
     * and rotations, from its gradient by the positions.
     *
     * @param positions   N positions, x y z in nm
     * @param gradient    (N, 3), in 1/nm
     * @return (3N-6), in 1/nm and 1/rad
     */
    std::vector<double> toCoordinateGradient(const std::vector<double>& positions,
                                             std::vector<double> gradient) const;
    /** Whether each of these values (as measure() returns them) lies inside the support. */
    bool isInSupport(const std::vector<double>& values) const;
    /**
     * Say which coordinate of a configuration is outside the support and why that matters, in a clause that
     * can follow a colon ("atom CA has the other hand than in the reference conformation ..."); an empty
     * string when the configuration is inside.
     */
    std::string describeViolation(const double* positions) const;
    /**
     * Set the centers of the linear coordinates to the averages of data, and (from more than one frame) their
     * scales to the standard deviations.
     *
     * @param positions   (count, N, 3) in nm
     * @param weights     (count): the weights of the frames; may be empty. A frame of weight zero is ignored
     * @throws OpenMM::OpenMMException if a frame lies outside the support, naming the frame and the
     * coordinate
     */
    void standardize(const std::vector<double>& positions, const std::vector<double>& weights = {});
    /** A one-line description of coordinate j, such as "torsion C-N-CA-C", for messages. */
    std::string describeCoordinate(int j) const;

    std::vector<Placement> placements;
    std::vector<char> circular;
    std::vector<double> center, scale;
    /** The support of each torsion, N-3 each. Ignored for circular ones. */
    std::vector<double> torsionLower, torsionUpper;
    std::vector<TorsionKind> torsionKinds;
    /** May be empty: atoms are then called by their indices. */
    std::vector<std::string> atomNames;

private:
    std::string getName(int atom) const;
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_INTERNALCOORDINATES_H_*/
