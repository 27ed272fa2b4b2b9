"""What the wheel depends on, for scikit-build-core: a part follows from the OpenMM it is built against."""

from importlib.metadata import version
from pathlib import Path


def dynamic_metadata(field, settings=None, project=None):
    """Return the dependencies: libraries fit only the minor version of OpenMM they were built against."""
    if field != "dependencies" or settings:
        raise ValueError("This provides dependencies, without settings.")
    minor = ".".join(version("openmm").split(".")[:2])
    packages = (Path(__file__).parent / "dependencies.txt").read_text().split()
    return [f"openmm=={minor}.*", *packages]


def get_requires_for_dynamic_metadata(settings=None):
    """Return what dynamic_metadata() needs: a particular OpenMM is the business of the build environment."""
    return []
