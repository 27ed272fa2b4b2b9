"""The package as a whole."""

import subprocess
import sys

import openmm
import pytest

import openmmflow
from openmmflow import plugins, version


def test_version(request):
    from conftest import SOURCE

    assert openmmflow.__version__ == (SOURCE / "VERSION").read_text().strip()
    assert openmm.Platform.getOpenMMVersion().split(".")[:2] == openmmflow.openmm_minor_version.split(".")


def test_another_openmm_is_an_import_error(monkeypatch):
    version.require_openmm()
    monkeypatch.setattr(openmm.Platform, "getOpenMMVersion", staticmethod(lambda: "7.99.1"))
    with pytest.raises(ImportError, match=r"7\.99\.1.*pip install 'openmm=="):
        version.require_openmm()


def test_plugins_are_loaded_once():
    assert {"Reference", "CPU"} <= set(plugins.platforms())
    # Those of OpenMM itself may fail, for want of a GPU's libraries.
    assert not any("OpenMMFlow" in failure for failure in openmm.Platform.getPluginLoadFailures())


def test_import_without_plugin_directory():
    """Importing finds the plugins by itself."""
    code = "import openmmflow.plugins as p; assert {'Reference', 'CPU'} <= set(p.platforms())"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_public_name_has_a_docstring():
    for name in openmmflow.__all__:
        item = getattr(openmmflow, name)
        if not isinstance(item, str):
            assert item.__doc__ and "Proxy of C++" not in item.__doc__, name
