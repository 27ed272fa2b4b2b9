#ifndef OPENMMFLOW_FLOWBUILDER_H_
#define OPENMMFLOW_FLOWBUILDER_H_

#include <string>
#include <vector>

#include "openmm/System.h"
#include "openmmflow/Flow.h"
#include "openmmflow/Molecule.h"

namespace OpenMMFlow {

/** What an internal-coordinate spline flow looks like. The defaults suit one molecule of up to a few dozen
 * atoms. */
struct InternalFlowOptions {
    /** The number of coupling layers. */
    int couplings = 12;
    /** The width of the conditioner networks. */
    int hidden = 128;
    /** The number of residual blocks in each conditioner. */
    int blocks = 2;
    /** The number of bins in the spline of each torsion that goes round the circle, and of each other
     * coordinate. */
    int bins = 8;
    int linearBins = 4;
    /** The conditioner networks are given cos and sin of 1, 2, ..., this many times each such torsion. */
    int harmonics = 4;
    /** Whether they are given the products of cos and sin of each two such torsions too. */
    bool products = true;
    /** "silu" (smooth) or "relu". */
    std::string activation = "silu";
    /** The seed of the masks and of the initial weights. */
    unsigned int seed = 0;
};

/**
 * What an SE(3)-equivariant augmented coupling flow looks like (Midgley et al. 2023, arXiv 2308.10364). The
 * defaults are those of the paper for DW4 and LJ13, with 1 nm as their unit of length.
 */
struct EquivariantCouplingOptions {
    /**
     * What a coupling does to a particle in its frame: splines of distance, angle and angle around the axis
     * ("spherical"), an affine function or a spline of each Cartesian coordinate ("cartesian-affine",
     * "cartesian-spline"), or a spline of the distance alone ("vector").
     */
    std::string transform = "spherical";
    /** 3, or 2: the flow then reads and writes x and y only. */
    int dimensions = 3;
    /** The number of augmented copies of the particles. */
    int copies = 1;
    /** The number of layers, of two couplings each. */
    int layers = 12;
    /** How often each coupling transforms, each time in a frame of its own. */
    int repeats = 1;
    /** Whether the flow is equivariant to reflections too. */
    bool reflections = false;
    /** Whether each layer also scales the clouds and the distances between their centres. */
    bool scaling = false;
    /** The blocks of each network, the width of their layers, and the features of a particle. */
    int blocks = 3;
    int hidden = 64;
    int features = 128;
    /** The width of the layers that make a particle's features parameters. */
    int headHidden = 64;
    /** The bins of each spline, and the range of distances and coordinates that splines act on, in nm. */
    int bins = 8;
    double range = 10;
    /**
     * The least size of a bin, as a fraction of the range of its spline (1e-6 to 0.9 divided by the number of
     * bins), and the least slope at its ends, or factor of an affine function or of scaling (1e-6 to 0.9).
     * Steeper flows fit narrower distributions; in flatter ones rounding errors grow less.
     */
    double minBinFraction = 1e-4;
    double minDerivative = 1e-4;
    /** The standard deviation of each coordinate of the augmented particles around theirs, in nm. */
    double augmentedScale = 0.1;
    /**
     * The standard deviation in the base, in nm: of the length of a bond in each direction if the base has
     * bonds, else of each coordinate.
     */
    double baseScale = 1;
    /** The length that is 1 for the networks, in nm: about that of a bond, or between neighbours. */
    double lengthUnit = 1;
    /** The seed of the initial weights. */
    unsigned int seed = 0;
};

/**
 * What an augmented coupling flow looks like that is not equivariant to rotations: the baseline of Midgley et
 * al. 2023 (arXiv 2308.10364). The defaults are those of the paper for LJ13, with 1 nm as the unit of length;
 * a flow of data of all orientations must be trained on randomly rotated ones.
 */
struct AugmentedCouplingOptions {
    /** What a coupling does to each Cartesian coordinate: an affine function ("affine") or a spline
     * ("spline"). */
    std::string transform = "affine";
    /** 3, or 2: the flow then reads and writes x and y only. */
    int dimensions = 3;
    /** The number of augmented copies of the particles. */
    int copies = 1;
    /** The number of layers, of two couplings each. */
    int layers = 12;
    /** Whether each layer also scales the clouds and the distances between their centres. */
    bool scaling = false;
    /** The blocks of each transformer, the heads of their attention, the features of each head (in the paper
     * 8 for each coordinate of a particle that the transformer reads), and the width of the layers between.
     */
    int blocks = 3;
    int attentionHeads = 4;
    int keySize = 24;
    int hidden = 64;
    /** The width of the layers that make a particle's features parameters. */
    int headHidden = 64;
    /** The bins of each spline, and the range of coordinates that splines act on, in nm. */
    int bins = 8;
    double range = 20;
    /**
     * The least size of a bin, as a fraction of the range of its spline (1e-6 to 0.9 divided by the number of
     * bins), and the least slope at its ends, or factor of an affine function or of scaling (1e-6 to 0.9).
     * Steeper flows fit narrower distributions; in flatter ones rounding errors grow less.
     */
    double minBinFraction = 1e-4;
    double minDerivative = 1e-4;
    /** The standard deviation of each coordinate of the augmented particles around theirs, in nm. */
    double augmentedScale = 0.1;
    /**
     * The standard deviation in the base, in nm: of the length of a bond in each direction if the base has
     * bonds, else of each coordinate.
     */
    double baseScale = 1;
    /** The length that is 1 for the networks, in nm: about that of a bond, or between neighbours. */
    double lengthUnit = 1;
    /** The seed of the initial weights. */
    unsigned int seed = 0;
};

/** Functions that create Flows, one for each family. What they create is untrained. */
class FlowBuilder {
public:
    /**
     * Create an internal-coordinate spline flow ("internal") for a molecule. Its coordinates are chosen from
     * the bonds; its splines are the identity, so that it proposes independent Gaussian bonds, angles and
     * planar torsions around the data (or around the reference conformation) and uniform free torsions.
     *
     * @param molecule    the molecule
     * @param positions   (count, N, 3) in nm: data from which the center and scale of each coordinate are
     * taken; may be empty
     * @param weights     (count): weights of the data; may be empty
     * @param options     the size of the network
     * @throws OpenMM::OpenMMException if the molecule cannot be described, or if data lie outside of the
     * support that the reference conformation implies (another hand, cis instead of trans)
     */
    static Flow createInternal(const Molecule& molecule, const std::vector<double>& positions = {},
                               const std::vector<double>& weights = {},
                               const InternalFlowOptions& options = {});
    /**
     * Create an SE(3)-equivariant augmented coupling flow ("equivariant-coupling"). Its couplings are the
     * identity, so that it proposes its base: a Gaussian around the centre, or springs along bonds.
     *
     * @param types     the type of each particle, 0, 1, ...: particles of one type are interchangeable
     * @param options   what it looks like
     * @param bonds     (bonds, 2): pairs of particles that the base binds, which must connect all of them;
     * empty for a base that is the same for all particles
     * @throws OpenMM::OpenMMException if an option makes no sense
     */
    static Flow createEquivariantCoupling(const std::vector<int>& types,
                                          const EquivariantCouplingOptions& options = {},
                                          const std::vector<int>& bonds = {});
    /**
     * Create an augmented coupling flow that is not equivariant to rotations ("augmented-coupling"). Its
     * couplings are the identity, so that it proposes its base: a Gaussian around the centre, or springs
     * along bonds.
     *
     * @param types     the type of each particle, 0, 1, ...: particles of one type are interchangeable
     * @param options   what it looks like
     * @param bonds     (bonds, 2): pairs of particles that the base binds, which must connect all of them;
     * empty for a base that is the same for all particles
     * @throws OpenMM::OpenMMException if an option makes no sense
     */
    static Flow createAugmentedCoupling(const std::vector<int>& types,
                                        const AugmentedCouplingOptions& options = {},
                                        const std::vector<int>& bonds = {});
    /**
     * Check that a System is something a flow can sample: no constraints, no virtual sites and no massless
     * particles, and no periodic boundary conditions.
     *
     * @throws OpenMM::OpenMMException which says what to rebuild
     */
    static void checkSystem(const OpenMM::System& system);
    /** Get a hash of everything in a System that determines its potential energy, as 16 hexadecimal digits.
     */
    static std::string hashSystem(const OpenMM::System& system);
};

}  // namespace OpenMMFlow

#endif /*OPENMMFLOW_FLOWBUILDER_H_*/
