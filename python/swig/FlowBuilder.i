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
                                         int bins, const std::string& activation, unsigned int seed) {
        Molecule molecule{atomicNumbers, atomNames, {}, bondOrders, {}};
        for (size_t i = 0; i + 1 < bonds.size(); i += 2)
            molecule.bonds.push_back({bonds[i], bonds[i + 1]});
        for (size_t i = 0; i + 2 < reference.size(); i += 3)
            molecule.positions.push_back(OpenMM::Vec3(reference[i], reference[i + 1], reference[i + 2]));
        ReleaseInterpreter release;
        return FlowBuilder::createInternal(molecule, data, weights,
                                           {couplings, hidden, blocks, bins, activation, seed});
    }

    %pythoncode %{
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
            couplings, hidden, blocks, bins : int
                the number of coupling layers, and the width, residual blocks and spline bins of each
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
                activation,
                integer(seed, 0, 2**32 - 1, "seed"),
            )
    %}
}

}

%pythoncode %{
createInternalFlow = FlowBuilder.createInternal
%}
