"""The families of flows that `openmm-flow train` creates, and their settings."""

import openmmflow

# Of each setting its type, or the upper limit of a whole number.
COUNT, SEED = 2**31 - 1, 2**32 - 1
# Which particles are interchangeable: those of one element, all, or none.
TYPES = "elements", "same", "atoms"
FAMILIES = {
    "internal": {
        "couplings": COUNT,
        "hidden": COUNT,
        "blocks": COUNT,
        "bins": COUNT,
        "linear_bins": COUNT,
        "harmonics": COUNT,
        "products": bool,
        "activation": str,
        "seed": SEED,
    },
    "equivariant-coupling": {
        "types": TYPES,
        # Whether the base binds the atoms along the bonds of the topology.
        "bonds": bool,
        "transform": str,
        "dimensions": COUNT,
        "copies": COUNT,
        "layers": COUNT,
        "repeats": COUNT,
        "reflections": bool,
        "scaling": bool,
        "blocks": COUNT,
        "hidden": COUNT,
        "features": COUNT,
        "head_hidden": COUNT,
        "bins": COUNT,
        "spline_range": float,
        "min_bin_fraction": float,
        "min_derivative": float,
        "augmented_scale": float,
        "base_scale": float,
        "length_unit": float,
        "seed": SEED,
    },
    "augmented-coupling": {
        "types": TYPES,
        "bonds": bool,
        "transform": str,
        "dimensions": COUNT,
        "copies": COUNT,
        "layers": COUNT,
        "scaling": bool,
        "blocks": COUNT,
        "attention_heads": COUNT,
        "key_size": COUNT,
        "hidden": COUNT,
        "head_hidden": COUNT,
        "bins": COUNT,
        "spline_range": float,
        "min_bin_fraction": float,
        "min_derivative": float,
        "augmented_scale": float,
        "base_scale": float,
        "length_unit": float,
        "seed": SEED,
    },
}
DEFAULT = "internal"


def create_flow(settings, topology, reference, positions=None, weights=None):
    """Return an untrained flow.

    Parameters
    ----------
    settings : dict
        "family", one of FAMILIES, and settings of this family
    topology : openmm.app.Topology
    reference : positions (N, 3) of the molecule, which tell the hand of stereocentres
    positions, weights : data from which an internal-coordinate flow takes the centre and scale of coordinates
    """
    settings = dict(settings)
    family = settings.pop("family", DEFAULT)
    if family == DEFAULT:
        return openmmflow.createInternalFlow(topology, reference, positions, weights, **settings)
    types, bonds = settings.pop("types", "elements"), settings.pop("bonds", False)
    atoms = list(topology.atoms())
    pairs = [(first.index, second.index) for first, second in topology.bonds()] if bonds else None
    create = {
        "equivariant-coupling": openmmflow.createEquivariantCouplingFlow,
        "augmented-coupling": openmmflow.createAugmentedCouplingFlow,
    }[family]
    return create(types=_number_types([_label(atom, types) for atom in atoms]), bonds=pairs, **settings)


def _label(atom, types):
    if types == "atoms":
        return atom.index
    return None if types == "same" or atom.element is None else atom.element.symbol


def _number_types(labels):
    """Return 0, 1, ... for labels in the order in which they appear."""
    numbers = {}
    return [numbers.setdefault(label, len(numbers)) for label in labels]
