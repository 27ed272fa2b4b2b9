"""What the metadata of a flow tell of its training."""

import json

import numpy as np


def read_stages(flow):
    """Return the stages of a flow's training, none if its metadata do not tell of any in our format."""
    try:
        stages = json.loads(flow.metadata.get("training", "[]"))
    except ValueError:
        return []
    # A flow that FlowTrainer returns has one stage; the command makes a list of them.
    stages = [stages] if isinstance(stages, dict) else stages
    if not isinstance(stages, list) or not all(isinstance(stage, dict) for stage in stages):
        return []
    return stages


def _number(stage, name):
    value = stage.get(name, 0)
    return value if isinstance(value, int | float) else 0


def _energies(stage):
    return _number(stage, "energy_evaluations") + _number(stage, "dynamics_energy_evaluations")


def _exploration_seconds(stage):
    exploration = stage.get("exploration", {})
    return _number(exploration, "seconds") if isinstance(exploration, dict) else 0


def describe_stages(flow):
    """Return {row: (text, note)} on the stages of a flow's training."""
    return {
        f"Training {number}": (
            f"{stage.get('objective', 'unknown objective')}: {_number(stage, 'steps'):,} steps, "
            f"{_energies(stage):,} energies, {(_exploration_seconds(stage) + _number(stage, 'seconds')) / 60:.0f} minutes on "
            f"{stage.get('machine', 'an unknown machine')}, threads: {stage.get('threads', 'unknown')}",
            "as the flow's file has it",
        )
        for number, stage in enumerate(read_stages(flow), 1)
    }


def read_history(flow):
    """Return energies, seconds and effective sample fractions along a flow's training, (estimates,) each, or None.

    Of stages that follow each other, the energies and seconds add up.
    """
    energies, seconds, fractions = [], [], []
    spent = time = 0
    for stage in read_stages(flow):
        history = stage.get("history", {})
        spent += _number(stage, "dynamics_energy_evaluations")
        time += _exploration_seconds(stage)
        try:
            found = np.array(history["effective_sample_fraction"], dtype=float)
            known = np.isfinite(found)
            fractions.append(found[known])
            energies.append(spent + np.array(history["energy_evaluations"], dtype=float)[known])
            seconds.append(time + np.array(history["seconds"], dtype=float)[known])
        except (KeyError, TypeError, ValueError, IndexError):
            # Of an older version, or not ours.
            return None
        spent += _number(stage, "energy_evaluations")
        time += _number(stage, "seconds")
    if not fractions or not sum(map(len, fractions)):
        return None
    return tuple(map(np.concatenate, (energies, seconds, fractions)))
