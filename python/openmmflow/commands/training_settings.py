"""The settings of `openmm-flow train`, from a YAML file and the command line, checked before any data are read."""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

from openmm import OpenMMException

from openmmflow.commands.flow_families import DEFAULT, FAMILIES
from openmmflow.commands.options import check_output

INPUTS = ("system", "topology", "temperature", "data", "output")
TABLES = ("flow", "training", "refinement")
# What training from the energy alone does unless told otherwise, where that differs from training on data.
ENERGY_DEFAULTS = {
    "optimizer": "soap",
    "batch_size": 1024,
    "learning_rate": 1e-3,
    "max_samples": 10000000,
    "annealing_fraction": 0.4,
    "target_samples": 10000,
    "validation_interval": 250,
}
ENERGY_FLOW_DEFAULTS = {"couplings": 16}
REFINEMENT = ("rounds", "proposals", "training")


@dataclass
class TrainingSettings:
    """What a run of `openmm-flow train` does. `training`, each of `stages` and `refined_training` are FlowTrainerOptions."""

    system: str
    topology: str
    temperature: float
    data: list
    output: str
    flow: dict
    training: object
    stages: list
    rounds: int
    proposals: int
    refined_training: object


def read_settings(path):
    """Return a YAML file as a dict with each of TABLES, and "stages", a list; paths in it are relative to the file."""
    import yaml

    try:
        settings = yaml.safe_load(Path(path).read_text()) or {}
    except yaml.MarkedYAMLError as error:
        raise OpenMMException(
            f"{path} is not a YAML file: {error.problem} in line {error.problem_mark.line + 1}."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OpenMMException(f"{path} is not a YAML file, or not one in UTF-8.") from error
    settings = _table(settings, (*INPUTS, *TABLES, "stages"), str(path))
    for name in TABLES:
        settings[name] = _table(settings.get(name), None, name)
    settings["stages"] = _tables(settings.get("stages"), "stages")
    folder = Path(path).parent
    for name in ("system", "topology", "output"):
        if name in settings:
            settings[name] = str(folder / _convert(settings[name], str, name))
    if "data" in settings:
        files = settings["data"] if isinstance(settings["data"], list) else [settings["data"]]
        settings["data"] = [str(folder / _convert(file, str, "data")) for file in files]
    return settings


def check_settings(settings):
    """Return TrainingSettings from what read_settings() returned.

    What only the library can tell, such as the range of an option, is not checked here.
    """
    for name in ("system", "topology"):
        _check_file(settings[name])
    for path in settings["data"]:
        _check_file(path)
    check_output(settings["output"])
    temperature = _convert(settings["temperature"], float, "temperature")
    if temperature <= 0:
        raise OpenMMException(f"The temperature must be positive, and {temperature:g} K is not.")
    refinement = _table(settings["refinement"], REFINEMENT, "refinement")
    flow = _flow_settings(settings["flow"])
    if not settings["data"] and flow.get("family", DEFAULT) != DEFAULT:
        raise OpenMMException(
            f"Flows of the family {flow['family']} learn from data only: name a trajectory with --data, or leave "
            "flow.family out."
        )
    training = settings["training"]
    if not settings["data"]:
        flow, training = ENERGY_FLOW_DEFAULTS | flow, ENERGY_DEFAULTS | training
    refined_training = {**training, **_table(refinement.get("training"), None, "refinement.training")}
    return TrainingSettings(
        **{name: settings[name] for name in ("system", "topology", "data", "output")},
        temperature=temperature,
        flow=flow,
        training=_make_options(training, "training"),
        stages=[
            _make_options(training | stage, f"stages[{number}]")
            for number, stage in enumerate(settings["stages"], 1)
        ]
        or [_make_options(training, "training")],
        rounds=_whole(refinement.get("rounds", 0), "refinement.rounds", 0, 1000),
        proposals=_whole(refinement.get("proposals", 1000000), "refinement.proposals", 1, 10**9),
        refined_training=_make_options(refined_training, "refinement.training"),
    )


def _flow_settings(table):
    family = _convert(table.get("family", DEFAULT), str, "flow.family")
    if family not in FAMILIES:
        raise OpenMMException(
            f"There is no family of flows {family}; flow.family must be one of {', '.join(FAMILIES)}."
        )
    kinds = FAMILIES[family]
    settings = {}
    for name, value in _table(table, ("family", *kinds), "flow").items():
        kind = kinds.get(name, str)
        if isinstance(kind, int):
            settings[name] = _whole(value, f"flow.{name}", 0, kind)
        elif isinstance(kind, tuple):
            settings[name] = _choice(value, f"flow.{name}", kind)
        else:
            settings[name] = _convert(value, kind, f"flow.{name}")
    return settings


def _table(settings, names, where):
    """Return a table of settings without those that have no value."""
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise OpenMMException(f"{where} must be a table of settings, and {settings!r} is not one.")
    for name in settings:
        if names is not None and name not in names:
            raise OpenMMException(f"{where} has no setting {name}; there are {', '.join(names)}.")
    return {name: value for name, value in settings.items() if value is not None}


def _tables(settings, where):
    """Return a list of tables, which has none if nothing is given."""
    if settings is None:
        return []
    if not isinstance(settings, list) or not settings:
        raise OpenMMException(
            f"{where} must be a list of tables of training settings, and {settings!r} is not one."
        )
    return [_table(table, None, f"{where}[{number}]") for number, table in enumerate(settings, 1)]


def _make_options(table, where):
    """Return FlowTrainerOptions from settings in snake case."""
    from openmmflow.training import FlowTrainerOptions

    camel = {re.sub("[A-Z]", lambda c: "_" + c[0].lower(), name): name for name in FlowTrainerOptions.names()}
    options = FlowTrainerOptions()
    for name, value in _table(table, camel, where).items():
        value = _convert(value, type(getattr(options, camel[name])), f"{where}.{name}")
        try:
            setattr(options, camel[name], value)
        except (TypeError, OverflowError):
            raise OpenMMException(
                f"The setting {where}.{name} cannot be {value}: it is out of range."
            ) from None
    return options


def _convert(value, kind, name):
    if kind is str:
        if isinstance(value, str):
            return value
        raise OpenMMException(f"The setting {name} must be a text, and {value!r} is not.")
    if kind is bool:
        if isinstance(value, bool):
            return value
        raise OpenMMException(f"The setting {name} must be true or false, and {value!r} is not.")
    # YAML 1.1 takes a number such as 1e4, without a point, for a text.
    try:
        number = float(value) if isinstance(value, str) else value
        valid = not isinstance(number, bool) and math.isfinite(number)
    except (TypeError, ValueError, OverflowError):
        valid = False
    if not valid:
        raise OpenMMException(f"The setting {name} must be a number, and {value!r} is not.")
    if kind is int and number != int(number):
        raise OpenMMException(f"The setting {name} must be a whole number, and {value!r} is not.")
    return kind(number)


def _choice(value, name, choices):
    if value not in choices:
        raise OpenMMException(
            f"The setting {name} must be one of {', '.join(choices)}, and {value!r} is not."
        )
    return value


def _whole(value, name, minimum, maximum):
    number = _convert(value, int, name)
    if not minimum <= number <= maximum:
        raise OpenMMException(
            f"The setting {name} must lie in {minimum} ... {maximum}, and {number} does not."
        )
    return number


def _check_file(path):
    if not os.path.isfile(path):
        raise OpenMMException(f"There is no file {path}; name one that exists.")
