"""Configurations of alanine dipeptide in vacuum, from the shipped flow: proposals, resampled by weight.

    python resample.py

Writes vacuum/resampled.npz, positions (frames, N, 3) in nm: data for flows in other coordinates, in seconds. Neighbours may be
copies of one proposal; blocks keep these together.
"""

from pathlib import Path

import numpy as np
import openmm

import openmmflow

FOLDER = Path(__file__).parent / "vacuum"
PROPOSALS, KEPT = 300_000, 200_000


def main():
    system = openmm.XmlSerializer.deserialize((FOLDER / "system.xml").read_text())
    flow = openmmflow.Flow.load(FOLDER / "flow.safetensors")
    ensemble = openmmflow.FlowSampler(system, flow, 300).sample(PROPOSALS, seed=1)
    positions = ensemble.resample(KEPT, seed=1).positions
    np.savez(FOLDER / "resampled.npz", positions=positions.astype(np.float32))
    print(
        f"effective samples {100 * ensemble.effective_sample_fraction:.1f} %; written: {FOLDER / 'resampled.npz'}"
    )


if __name__ == "__main__":
    main()
