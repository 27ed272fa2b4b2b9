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
TABLES = ("flow", "exploration", "training", "refinement")
# What training from the energy alone does unless told otherwise, where that differs from training on data.
ENERGY_DEFAULTS = {
    "optimizer": "soap",
    "batch_size": 1024,
    "learning_rate": 1e-3,
    "max_samples": 6000000,
    "target_samples": 10000,
    "validation_interval": 250,
}
ENERGY_FLOW_DEFAULTS = {"couplings": 16}
# Where the flow does not explore, the temperature falls over this fraction of the steps.
ANNEALING_FRACTION = 0.4
EXPLORATION = ("energies", "max_temperature", "samples")
# As fractions of the proposals that follow, the energies of an exploration and the frames to learn from, each counted as often
# as it is used; and, of a time budget, the times that these may take. Other processes have to wait for the first.
EXPLORATION_ENERGIES, EXPLORATION_SAMPLES = 3, 0.2
EXPLORATION_TIME, EXPLORATION_TRAINING_TIME = 0.05, 0.4
MOST_EXPLORATION_SECONDS = 900
# What training does with an exploration: with a higher learning rate, path gradients of frames drift away. Afterwards the flow
# is near the target already, and proposals with large weights take it away from there if the learning rate is 1e-3.
EXPLORATION_LEARNING = {"learning_rate": 3e-4, "path_gradients": True}
AFTER_EXPLORATION = {
    "learning_rate": 6e-4,
    "annealing_fraction": 0,
    "mass_covering": 1,
    "min_effective_fraction": 0.1,
}
# Settings of training that have a beginning of their own.
OWN_BEGINNING = ("annealing_fraction", "initial_temperature", "pretraining_fraction")
REFINEMENT = ("rounds", "proposals", "training")


@dataclass
class ExplorationSettings:
    """The replica exchange that a flow learns from before it learns from the energy alone; training is FlowTrainerOptions."""

    energies: int
    max_temperature: float
    seconds: float
    training: object


@dataclass
class TrainingSettings:
    """What a run of `openmm-flow train` does. `training`, each of `stages` and `refined_training` are FlowTrainerOptions."""

    system: str
    topology: str
    temperature: float
    data: list
    output: str
    flow: dict
    exploration: ExplorationSettings | None
    training: object
    stages: list
    rounds: int
    proposals: int
    refined_training: object

    @property
    def all_options(self):
        """Those of each stage, of the rounds of refinement, and of learning from an exploration."""
        explored = [self.exploration.training] if self.exploration else []
        return [*explored, *self.stages, self.refined_training]


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
    training, exploration = settings["training"], None
    if settings["data"] and settings["exploration"]:
        raise OpenMMException(
            "A flow explores where there are no data: leave out the data, or the table exploration."
        )
    if not settings["data"]:
        flow = ENERGY_FLOW_DEFAULTS | flow
        training, exploration = _complete_energy_training(settings, temperature)
    refined_training = {**training, **_table(refinement.get("training"), None, "refinement.training")}
    return TrainingSettings(
        **{name: settings[name] for name in ("system", "topology", "data", "output")},
        temperature=temperature,
        flow=flow,
        exploration=exploration,
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


def _complete_energy_training(settings, temperature):
    """Return the table of training with the defaults of training from the energy alone, and ExplorationSettings or None."""
    table, given = _table(settings["exploration"], EXPLORATION, "exploration"), settings["training"]
    training = ENERGY_DEFAULTS | given
    samples = _whole(training["max_samples"], "training.max_samples", 1, 10**12)
    energies = _whole(
        table.get("energies", max(1, int(EXPLORATION_ENERGIES * samples))), "exploration.energies", 0, 10**12
    )
    explored = _whole(
        table.get("samples", max(1, int(EXPLORATION_SAMPLES * samples))), "exploration.samples", 1, 10**12
    )
    max_temperature = _convert(
        table.get("max_temperature", 3 * temperature), float, "exploration.max_temperature"
    )
    if max_temperature < temperature:
        raise OpenMMException(
            f"The setting exploration.max_temperature must not be below the temperature of {temperature:g} K, and "
            f"{max_temperature:g} is."
        )
    others = [name for name in OWN_BEGINNING if name in given]
    if given.get("objective", "path-gradient") != "path-gradient":
        others.append("objective")
    if settings["stages"]:
        others.append("stages")
    if energies == 0 or (others and not table):
        return {"annealing_fraction": ANNEALING_FRACTION} | training, None
    if others:
        raise OpenMMException(
            f"An exploration is followed by path gradients at the temperature itself: leave out {' and '.join(others)}, "
            "or the table exploration."
        )
    budget = _convert(given.get("time_budget", 0), float, "training.time_budget")
    learning = ENERGY_DEFAULTS | EXPLORATION_LEARNING | given
    learning |= {
        "max_samples": explored,
        "max_epochs": 0,
        "time_budget": EXPLORATION_TRAINING_TIME * budget,
        "target_effective_sample_fraction": 0,
    }
    return ENERGY_DEFAULTS | AFTER_EXPLORATION | given, ExplorationSettings(
        energies=energies,
        max_temperature=max_temperature,
        seconds=min(EXPLORATION_TIME * budget or math.inf, MOST_EXPLORATION_SECONDS),
        training=_make_options(learning, "training"),
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
