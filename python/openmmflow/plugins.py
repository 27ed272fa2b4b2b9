"""Finds the plugins of openmm-flow wherever they were installed."""

from pathlib import Path

from openmm import Platform

from openmmflow.openmmflow import getLibraryFolder

# The kernel that every platform of ours has (FlowKernel::Name()).
KERNEL = "OpenMMFlowFlow"


def load_plugins():
    """Load the plugins that lie beside libOpenMMFlow, unless `import openmm` did, as it does for wheels."""
    if Platform.getPlatform("Reference").supportsKernels([KERNEL]):
        return
    for library in sorted((Path(getLibraryFolder()) / "plugins").glob("libOpenMMFlow*.so")):
        Platform.loadPluginLibrary(str(library))


def platforms():
    """Return the names of the Platforms that can evaluate a Flow."""
    names = [Platform.getPlatform(i) for i in range(Platform.getNumPlatforms())]
    return [platform.getName() for platform in names if platform.supportsKernels([KERNEL])]
