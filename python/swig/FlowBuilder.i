namespace OpenMMFlow {

/** Functions that create untrained Flows, one for each family, and check what they are for. */
class FlowBuilder {
public:
    static void checkSystem(const OpenMM::System& system);
    static std::string hashSystem(const OpenMM::System& system);

private:
    FlowBuilder();
};

%extend FlowBuilder {
    /** Flat arrays: bonds (bond, 2), reference (N, 3), data (count, N, 3). */
    %rename(_createInternal) createInternalFromArrays;
    static Flow createInternalFromArrays(const std::vector<int>& atomicNumbers, const std::vector<std::string>& atomNames,
                                         const std::vector<int>& bonds, const std::vector<int>& bondOrders,
                                         const std::vector<double>& reference, const std::vector<double>& data,
                                         const std::vector<double>& weights, int couplings, int hidden, int blocks,
                                         int bins, int linearBins, int harmonics, bool products,
                                         const std::string& activation, unsigned int seed) {
        Molecule molecule{atomicNumbers, atomNames, {}, bondOrders, {}};
        for (size_t i = 0; i + 1 < bonds.size(); i += 2)
            molecule.bonds.push_back({bonds[i], bonds[i + 1]});
        for (size_t i = 0; i + 2 < reference.size(); i += 3)
            molecule.positions.push_back(OpenMM::Vec3(reference[i], reference[i + 1], reference[i + 2]));
        ReleaseInterpreter release;
        return FlowBuilder::createInternal(molecule, data, weights,
                                           {couplings, hidden, blocks, bins, linearBins, harmonics, products,
                                            activation, seed});
    }

    /** Flat arrays: bonds (bond, 2). */
    %rename(_createEquivariantCoupling) createEquivariantCouplingFromArrays;
    static Flow createEquivariantCouplingFromArrays(const std::vector<int>& types, const std::vector<int>& bonds,
                                                    const std::string& transform, int dimensions, int copies,
                                                    int layers, int repeats, bool reflections, bool scaling,
                                                    int blocks, int hidden, int features, int headHidden, int bins,
                                                    double range, double minBinFraction, double minDerivative,
                                                    double augmentedScale, double baseScale, double lengthUnit,
                                                    unsigned int seed) {
        ReleaseInterpreter release;
        return FlowBuilder::createEquivariantCoupling(
            types,
            {transform, dimensions, copies, layers, repeats, reflections, scaling, blocks, hidden, features, headHidden,
             bins, range, minBinFraction, minDerivative, augmentedScale, baseScale, lengthUnit, seed},
            bonds);
    }

    /** Flat arrays: bonds (bond, 2). */
    %rename(_createAugmentedCoupling) createAugmentedCouplingFromArrays;
    static Flow createAugmentedCouplingFromArrays(const std::vector<int>& types, const std::vector<int>& bonds,
                                                  const std::string& transform, int dimensions, int copies,
                                                  int layers, bool scaling, int blocks, int attentionHeads,
                                                  int keySize, int hidden, int headHidden, int bins, double range,
                                                  double minBinFraction, double minDerivative,
                                                  double augmentedScale, double baseScale, double lengthUnit,
                                                  unsigned int seed) {
        ReleaseInterpreter release;
        return FlowBuilder::createAugmentedCoupling(
            types,
            {transform, dimensions, copies, layers, scaling, blocks, attentionHeads, keySize, hidden, headHidden, bins,
             range, minBinFraction, minDerivative, augmentedScale, baseScale, lengthUnit, seed},
            bonds);
    }

    %pythoncode %{
        @staticmethod
        def createEquivariantCoupling(
            types,
            bonds=None,
            transform="spherical",
            dimensions=3,
            copies=1,
            layers=12,
            repeats=1,
            reflections=False,
            scaling=False,
            blocks=3,
            hidden=64,
            features=128,
            head_hidden=64,
            bins=8,
            spline_range=10.0,
            min_bin_fraction=1e-4,
            min_derivative=1e-4,
            augmented_scale=0.1,
            base_scale=1.0,
            length_unit=1.0,
            seed=0,
        ):
            """Create an untrained SE(3)-equivariant augmented coupling flow (Midgley et al. 2023, arXiv 2308.10364).

            It proposes a Gaussian around the centre, or springs along bonds, until it is trained. The defaults are
            those of the paper for DW4 and LJ13, with 1 nm as their unit of length.

            Parameters
            ----------
            types : (N,) of int
                the type of each particle, 0, 1, ...: particles of one type are interchangeable
            bonds : (bonds, 2) of int, optional
                pairs of particles that the base binds, which must connect all of them
            transform : str
                "spherical" (splines of distance, angle and angle around the axis), "cartesian-affine",
                "cartesian-spline" or "vector" (a spline of the distance)
            dimensions : int
                3, or 2: the flow then reads and writes x and y only
            copies : int
                the number of augmented copies of the particles
            layers, repeats : int
                the number of layers, of two couplings each, and how often each coupling transforms
            reflections, scaling : bool
                whether the flow is equivariant to reflections too, and whether layers scale
            blocks, hidden, features, head_hidden, bins : int
                the blocks of each network, their width, the features of a particle, the width of the heads, and
                the bins of each spline
            min_bin_fraction, min_derivative : float
                the least size of a bin, as a fraction of the range of its spline (1e-6 to 0.9/bins), and the least slope at
                its ends, or factor of an affine function or of scaling (1e-6 to 0.9): steeper flows fit narrower
                distributions, in flatter ones rounding errors grow less
            spline_range, augmented_scale, base_scale, length_unit : nm or Quantity
                the range of the splines; the standard deviations of each coordinate of the augmented particles
                around theirs and of the base; and the length that is 1 for the networks

            Returns
            -------
            Flow
            """
            limit = 2**31 - 1
            return FlowBuilder._createEquivariantCoupling(
                integers(types, "types"),
                integers([] if bonds is None else list(bonds), "bonds", ("count", 2)).ravel(),
                transform,
                integer(dimensions, 0, limit, "number of dimensions"),
                integer(copies, 0, limit, "number of copies"),
                integer(layers, 0, limit, "number of layers"),
                integer(repeats, 0, limit, "number of repeats"),
                boolean(reflections, "reflections"),
                boolean(scaling, "scaling"),
                integer(blocks, 0, limit, "number of blocks"),
                integer(hidden, 0, limit, "number of hidden units"),
                integer(features, 0, limit, "number of features"),
                integer(head_hidden, 0, limit, "number of hidden units of the heads"),
                integer(bins, 0, limit, "number of bins"),
                length(spline_range, "range of the splines"),
                number(min_bin_fraction, "least bin as a fraction"),
                number(min_derivative, "least slope"),
                length(augmented_scale, "scale of the augmented particles"),
                length(base_scale, "scale of the base"),
                length(length_unit, "unit of length"),
                integer(seed, 0, 2**32 - 1, "seed"),
            )

        @staticmethod
        def createAugmentedCoupling(
            types,
            bonds=None,
            transform="affine",
            dimensions=3,
            copies=1,
            layers=12,
            scaling=False,
            blocks=3,
            attention_heads=4,
            key_size=24,
            hidden=64,
            head_hidden=64,
            bins=8,
            spline_range=20.0,
            min_bin_fraction=1e-4,
            min_derivative=1e-4,
            augmented_scale=0.1,
            base_scale=1.0,
            length_unit=1.0,
            seed=0,
        ):
            """Create an untrained augmented coupling flow that is not equivariant to rotations.

            The baseline of Midgley et al. 2023 (arXiv 2308.10364): affine (RealNVP) or spline couplings of Cartesian
            coordinates, equivariant to translations and to permutations of particles of one type, whose networks are
            transformers over the particles. It proposes a Gaussian around the centre, or springs along bonds, until it
            is trained. The defaults are those of the paper for LJ13, with 1 nm as the unit of length.

            Parameters
            ----------
            types : (N,) of int
                the type of each particle, 0, 1, ...: particles of one type are interchangeable
            bonds : (bonds, 2) of int, optional
                pairs of particles that the base binds, which must connect all of them
            transform : str
                "affine" or "spline"
            dimensions : int
                3, or 2: the flow then reads and writes x and y only
            copies : int
                the number of augmented copies of the particles
            layers : int
                the number of layers, of two couplings each
            scaling : bool
                whether layers scale
            blocks, attention_heads, key_size, hidden : int
                the blocks of each transformer, the heads of their attention, the features of each head (in the paper 8
                for each coordinate of a particle that the transformer reads: 16 for DW4, 24 for LJ13), and the width
                of the layers between
            head_hidden, bins : int
                the width of the layers that make a particle's features parameters, and the bins of each spline
            min_bin_fraction, min_derivative : float
                the least size of a bin, as a fraction of the range of its spline (1e-6 to 0.9/bins), and the least slope at
                its ends, or factor of an affine function or of scaling (1e-6 to 0.9): steeper flows fit narrower
                distributions, in flatter ones rounding errors grow less
            spline_range, augmented_scale, base_scale, length_unit : nm or Quantity
                the range of the splines; the standard deviations of each coordinate of the augmented particles
                around theirs and of the base; and the length that is 1 for the networks

            Returns
            -------
            Flow
            """
            limit = 2**31 - 1
            return FlowBuilder._createAugmentedCoupling(
                integers(types, "types"),
                integers([] if bonds is None else list(bonds), "bonds", ("count", 2)).ravel(),
                transform,
                integer(dimensions, 0, limit, "number of dimensions"),
                integer(copies, 0, limit, "number of copies"),
                integer(layers, 0, limit, "number of layers"),
                boolean(scaling, "scaling"),
                integer(blocks, 0, limit, "number of blocks"),
                integer(attention_heads, 0, limit, "number of attention heads"),
                integer(key_size, 0, limit, "number of features of an attention head"),
                integer(hidden, 0, limit, "number of hidden units"),
                integer(head_hidden, 0, limit, "number of hidden units of the heads"),
                integer(bins, 0, limit, "number of bins"),
                length(spline_range, "range of the splines"),
                number(min_bin_fraction, "least bin as a fraction"),
                number(min_derivative, "least slope"),
                length(augmented_scale, "scale of the augmented particles"),
                length(base_scale, "scale of the base"),
                length(length_unit, "unit of length"),
                integer(seed, 0, 2**32 - 1, "seed"),
            )

        @staticmethod
        def createInternal(
            topology,
            positions,
            data=None,
            weights=None,
            couplings=12,
            hidden=128,
            blocks=2,
            bins=8,
            linear_bins=4,
            harmonics=4,
            products=True,
            activation="silu",
            seed=0,
        ):
            """Create an untrained internal-coordinate spline flow for a molecule.

            Its coordinates are chosen from the bonds of the molecule.

            Parameters
            ----------
            topology : openmm.app.Topology
                one connected molecule of at least 3 atoms
            positions : (N, 3), nm or Quantity
                a conformation: it fixes the hand of stereocentres and cis/trans of double bonds
            data : (count, N, 3), nm or Quantity, optional
                configurations from which the center and scale of each coordinate are taken
            weights : (count,), optional
                the weights of the data
            couplings, hidden, blocks : int
                the number of coupling layers, and the width and residual blocks of the network of each
            bins, linear_bins : int
                the bins in the spline of each torsion that goes round the circle, and of each other coordinate
            harmonics : int
                the networks are given cos and sin of 1, 2, ..., this many times each such torsion
            products : bool
                whether they are given the products of cos and sin of each two such torsions too
            activation : str
                "silu" (smooth) or "relu"
            seed : int
                the seed of the masks and of the initial weights

            Returns
            -------
            Flow
            """
            atoms = list(topology.atoms())
            bonds = list(topology.bonds())
            reference = conformation(positions, len(atoms))
            data = None if data is None else configurations(data, len(atoms))
            if data is not None and len(data) == 0:
                raise openmm.OpenMMException("The data hold no frame: give at least one, or none for data=None.")
            if data is None and weights is not None:
                raise openmm.OpenMMException("There are weights but no data that they belong to.")
            empty = np.zeros(0)
            return FlowBuilder._createInternal(
                [0 if atom.element is None else atom.element.atomic_number for atom in atoms],
                [atom.name for atom in atoms],
                np.array([(bond[0].index, bond[1].index) for bond in bonds], dtype=np.intc),
                [bond_order(bond) for bond in bonds],
                reference,
                empty if data is None else data,
                empty if weights is None else per_sample(weights, len(data), "Weights"),
                integer(couplings, 1, 2**31 - 1, "number of couplings"),
                integer(hidden, 1, 2**31 - 1, "number of hidden units"),
                integer(blocks, 0, 2**31 - 1, "number of blocks"),
                integer(bins, 1, 2**31 - 1, "number of bins"),
                integer(linear_bins, 1, 2**31 - 1, "number of bins of linear coordinates"),
                integer(harmonics, 1, 2**31 - 1, "number of harmonics"),
                boolean(products, "products"),
                activation,
                integer(seed, 0, 2**32 - 1, "seed"),
            )
    %}
}

}

%pythoncode %{
createInternalFlow = FlowBuilder.createInternal
createEquivariantCouplingFlow = FlowBuilder.createEquivariantCoupling
createAugmentedCouplingFlow = FlowBuilder.createAugmentedCoupling
%}
