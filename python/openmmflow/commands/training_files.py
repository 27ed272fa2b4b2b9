"""What `openmm-flow train` keeps beside its output until the flow is complete."""

import json
import os
import re
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from openmm import OpenMMException

import openmmflow


class TrainingFiles:
    """The files of one run, named after its output, so that an interrupted run goes on where it was.

    A stage of training has a checkpoint while it goes on and its flow when it is completed. Own samples are kept as
    well, and, as stage 0, the frames of an exploration and the untrained flow whose coordinates come from dynamics: made
    again on another machine they would differ by round-off, and so would all that follows.

    Parameters
    ----------
    output : str
        the path of the final flow
    run : str
        what identifies the run: files of another run are refused
    """

    def __init__(self, output, run):
        self.output, self.run = output, run

    def checkpoint(self, stage):
        """Return the path of the checkpoint of a stage, which FlowTrainer writes."""
        return f"{self.output}.stage-{stage}.checkpoint"

    def _flow(self, stage):
        return f"{self.output}.stage-{stage}.flow"

    def _samples(self, stage):
        return f"{self.output}.stage-{stage}.samples"

    def load_flow(self, stage):
        """Return the flow of a stage and what is known of this stage and those before; None if not completed."""
        if not os.path.exists(self._flow(stage)):
            return None
        flow = openmmflow.Flow.load(self._flow(stage))
        stages = json.loads(flow.metadata.get("training", "[{}]"))
        self._check(stages[-1], self._flow(stage))
        return flow, stages

    def save_flow(self, stage, flow, stages):
        """Complete a stage: its flow takes the place of its checkpoint. Return what load_flow() will."""
        stages[-1]["run"] = self.run
        flow = flow.withMetadata("training", json.dumps(stages))
        flow.save(self._flow(stage))
        Path(self.checkpoint(stage)).unlink(missing_ok=True)
        return flow, stages

    def load_samples(self, stage):
        """Return the arrays of the samples of a stage and what is known of them; None if not yet drawn."""
        if not os.path.exists(self._samples(stage)):
            return None
        try:
            with np.load(self._samples(stage), allow_pickle=False) as file:
                record = json.loads(str(file["record"]))
                arrays = {name: file[name] for name in file.files if name != "record"}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise OpenMMException(
                f"{self._samples(stage)} is damaged; delete it to draw samples anew."
            ) from error
        self._check(record, self._samples(stage))
        return arrays, record

    def save_samples(self, stage, arrays, record):
        """Keep samples; `record` says how they were drawn. Return what load_samples() will."""
        record = {**record, "run": self.run}
        temporary = self._samples(stage) + ".tmp"
        with open(temporary, "wb") as file:
            np.savez(file, **arrays, record=json.dumps(record))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self._samples(stage))
        return arrays, record

    def delete(self):
        """Delete the files of all stages, and what a run that was killed had begun to write."""
        folder, name = os.path.split(self.output)
        ours = re.compile(re.escape(name) + r"\.stage-\d+\.(checkpoint|flow|samples)(\.tmp(-\d+-\d+)?)?")
        # The flow has been written, and a folder that cannot be listed keeps these files.
        with suppress(OSError):
            for path in Path(folder).iterdir():
                if ours.fullmatch(path.name):
                    path.unlink(missing_ok=True)

    def _check(self, record, path):
        if record.get("run") != self.run:
            raise OpenMMException(
                f"{path} is of a run with other data or settings; delete {self.output}.stage-* to start anew, or "
                "name another output."
            )
