"""Finds the plugins of openmm-flow wherever they were installed."""

import warnings
from pathlib import Path

from openmm import OpenMMException, Platform

from openmmflow.openmmflow import getLibraryFolder

# The kernel that every platform of ours has (FlowKernel::Name()).
KERNEL = "OpenMMFlowFlow"


def load_plugins():
    """Load the plugins that lie beside libOpenMMFlow, unless `import openmm` did, as it does for wheels."""
    failures = [failure for failure in Platform.getPluginLoadFailures() if "OpenMMFlow" in failure]
    if not Platform.getPlatform("Reference").supportsKernels([KERNEL]):
        for library in sorted((Path(getLibraryFolder()) / "plugins").glob("libOpenMMFlow*.so")):
            try:
                Platform.loadPluginLibrary(str(library))
            except OpenMMException as error:
                failures.append(str(error))
    if failures:
        # Without its own plugin the CPU platform takes the kernel of Reference: right, and very slow.
        warnings.warn("Plugins of openmm-flow failed to load: " + "; ".join(failures), stacklevel=3)


def platforms():
    """Return the names of the Platforms that can evaluate a Flow."""
    known = [Platform.getPlatform(i) for i in range(Platform.getNumPlatforms())]
    return [platform.getName() for platform in known if platform.supportsKernels([KERNEL])]
