"""Finds the plugins of openmm-flow wherever they were installed."""

import warnings
from pathlib import Path

from openmm import OpenMMException, Platform

from openmmflow.openmmflow import getLibraryFolder

# The kernel that every platform of ours has (FlowKernel::Name()).
KERNEL = "OpenMMFlowFlow"
# What OpenMM does not record, since it did not load these itself.
_own_failures = []


def load_plugins():
    """Load the plugins that lie beside libOpenMMFlow, unless `import openmm` did, as it does for wheels."""
    if not Platform.getPlatform("Reference").supportsKernels([KERNEL]):
        for library in sorted((Path(getLibraryFolder()) / "plugins").glob("libOpenMMFlow*.so")):
            try:
                Platform.loadPluginLibrary(str(library))
            except OpenMMException as error:
                _own_failures.append(str(error))
    failures = [failure for failure in load_failures() if "OpenMMFlow" in failure]
    if failures:
        # Without its own plugin the CPU platform takes the kernel of Reference: right, and very slow.
        warnings.warn("Plugins of openmm-flow failed to load: " + "; ".join(failures), stacklevel=3)


def load_failures():
    """Return which plugins, of OpenMM and of openmm-flow, failed to load and why: "path: reason" for each."""
    failures = [*Platform.getPluginLoadFailures(), *_own_failures]
    return list(dict.fromkeys(_without_repetition(failure) for failure in failures))


def _without_repetition(failure):
    """Return OpenMM's message, which has the path twice where the loader's reason begins with it."""
    path, _, reason = failure.removeprefix("Error loading library ").partition(": ")
    return f"{path}: {reason.removeprefix(f'{path}: ')}"


def platforms():
    """Return the names of the Platforms that can evaluate a Flow."""
    known = [Platform.getPlatform(i) for i in range(Platform.getNumPlatforms())]
    return [platform.getName() for platform in known if platform.supportsKernels([KERNEL])]
