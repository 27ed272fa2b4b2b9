"""States of a molecule: named boxes of torsions, and their free energies."""

import math
from pathlib import Path

import numpy as np
import yaml
from openmm import OpenMMException

# Left and right of the barriers that every residue but glycine has.
RAMACHANDRAN_STATES = [
    {"name": "phi > 0", "phi": [0, 130]},
    {"name": "alpha", "psi": [-130, 50]},
    {"name": "beta"},
]


def default_states(pairs):
    """Return the states of a molecule with these Ramachandran pairs."""
    return RAMACHANDRAN_STATES if len(pairs) == 1 else []


def load_states(path):
    """Read states from a YAML file: a list, in which the first state that a configuration fits is its own.

    Each entry has a `name` and, for any torsion of the report, the degrees [from, to) that it must lie in.
    """
    try:
        states = yaml.safe_load(Path(path).read_text())
        for state in states:
            for name in state.keys() - {"name"}:
                low, high = map(float, state[name])
                if not (math.isfinite(low) and math.isfinite(high)):
                    raise ValueError(f"{name} of {state['name']} has a limit that is not a finite number")
                state[name] = [low, high]
            state["name"]
    except (OSError, yaml.YAMLError, TypeError, ValueError, AttributeError, KeyError) as error:
        raise OpenMMException(
            f"{path} must hold a list of states, each with a name and ranges [from, to] of torsions: {error}"
        ) from error
    return states


def assign(states, torsions):
    """Return the state of each configuration, -1 for none; torsions maps names to degrees (count,)."""
    count = len(next(iter(torsions.values())))
    assigned = np.full(count, -1)
    for index, state in enumerate(states):
        inside = assigned == -1
        for name, limits in state.items():
            if name == "name":
                continue
            if name not in torsions:
                raise OpenMMException(
                    f"State {state['name']} names the torsion {name}, where there are {', '.join(torsions)}."
                )
            low, high = limits
            inside &= (torsions[name] >= low) & (torsions[name] < high)
        assigned[inside] = index
    return assigned


def frame_free_energies(assigned, count, origin, blocks=20):
    """Return free energies in kT of `count` states relative to state `origin`, and standard errors.

    Frames of a trajectory are correlated, so errors come from consecutive blocks. They are of first order: that of a
    state which was seen in one block only is 1 kT or so. A state never seen has infinite free energy.
    """
    edges = np.linspace(0, len(assigned), blocks + 1).astype(int)
    counts = np.array(
        [
            np.bincount(assigned[a:b][assigned[a:b] >= 0], minlength=count)
            for a, b in zip(edges, edges[1:], strict=False)
        ]
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        total = counts.sum(axis=0)
        value = np.log(total[origin]) - np.log(total)
        deviations = counts[:, [origin]] / total[origin] - counts / total
    return value, np.sqrt(blocks / (blocks - 1) * np.sum(deviations**2, axis=0))
