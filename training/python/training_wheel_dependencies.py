"""What the training wheel depends on, for scikit-build-core: this openmm-flow, and the ABIs of OpenMM and Torch."""

from importlib.metadata import version
from pathlib import Path


def dynamic_metadata(field, settings=None, project=None):
    """Return the dependencies."""
    if field != "dependencies" or settings:
        raise ValueError("This provides dependencies, without settings.")
    minor = ".".join(version("openmm").split(".")[:2])
    own = (Path(__file__).parents[2] / "VERSION").read_text().strip()
    return [f"openmm-flow=={own}", f"openmm=={minor}.*", "torch==2.11.*"]


def get_requires_for_dynamic_metadata(settings=None):
    """Return what dynamic_metadata() needs: nothing."""
    return []
