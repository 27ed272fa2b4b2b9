"""What `openmm-flow simulate` writes: the trajectory, and beside it what an interrupted run goes on from."""

import contextlib
import json
import os
import zipfile
from pathlib import Path

import numpy as np
from openmm import OpenMMException

CHUNK = 10000  # frames that are written at once


def statistics_path(output):
    """Return the path of the record beside a trajectory."""
    return Path(output).with_suffix(".yaml")


class SimulationFiles:
    """The files of one run, named after its output.

    Frames and energies are appended to files of their own; the checkpoint is written after they have reached the disk,
    and what they hold beyond it is cut when the run goes on.

    Parameters
    ----------
    output : str
        path of the trajectory, .dcd or .h5
    topology : openmm.app.Topology
    settings : dict
        what identifies the run: files of another run are refused
    """

    def __init__(self, output, topology, settings):
        self.output, self.topology, self.settings = Path(output), topology, settings
        if self.output.suffix.lower() not in (".dcd", ".h5", ".hdf5"):
            raise OpenMMException(f"{output} should end in .dcd or .h5: those trajectories can be written.")
        self.statistics = statistics_path(output)
        self.checkpoint, self.frames, self.energies = (
            Path(f"{output}.{name}") for name in ("checkpoint", "frames", "energies")
        )
        if self.statistics.exists() and not (self.output.exists() or self.checkpoint.exists()):
            raise OpenMMException(
                f"{self.statistics} exists and would be overwritten by the record of {output}: name another output."
            )
        ladders = settings["ladders"]
        self.frame_shape = (ladders, topology.getNumAtoms(), 3)
        self.energy_shape = (ladders, len(settings["temperatures"]))

    def load(self):
        """Return the state that was saved last; None if there is none."""
        if not self.checkpoint.exists():
            return None
        try:
            with np.load(self.checkpoint, allow_pickle=False) as file:
                state = {"checkpoint": file["checkpoint"].tobytes(), **json.loads(str(file["record"]))}
                settings = state.pop("settings")
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise OpenMMException(f"{self.checkpoint} is damaged; delete it to start anew.") from error
        different = [name for name in self.settings if settings.get(name) != self.settings[name]]
        if different:
            raise OpenMMException(
                f"{self.checkpoint} is of a run that differs in {', '.join(different)}; delete it to start anew, or "
                "name another output."
            )
        return state

    def open(self, count):
        """Open the files to which frames are added, with so many in them."""
        self._files = []
        for path, size in self._sizes(count):
            if count > 0 and (not path.exists() or path.stat().st_size < size):
                raise OpenMMException(
                    f"{path} lacks frames that {self.checkpoint} knows of; delete both to start anew."
                )
            file = open(path, "ab")
            self._files.append(file)
            file.truncate(size)

    def close(self):
        """Close the files to which frames are added, and delete them if there is no checkpoint that knows of them."""
        for file in self._files:
            # What save() did not bring to the disk is not missed.
            with contextlib.suppress(OSError):
                file.close()
        if not self.checkpoint.exists():
            self.delete()

    def _sizes(self, count):
        return (
            (self.frames, count * 4 * int(np.prod(self.frame_shape))),
            (self.energies, count * 8 * int(np.prod(self.energy_shape))),
        )

    def add(self, positions, energies):
        """Add a frame of every ladder, (ladders, N, 3) in nm, and the energies (ladders, temperatures) in kJ/mol."""
        self._files[0].write(positions.astype(np.float32).tobytes())
        self._files[1].write(energies.tobytes())

    def save(self, state):
        """Write the state to disk, and before it all frames."""
        for file in self._files:
            file.flush()
            os.fsync(file.fileno())
        record = {name: value for name, value in state.items() if name != "checkpoint"}
        temporary = self.checkpoint.with_name(self.checkpoint.name + ".part")
        with open(temporary, "wb") as file:
            np.savez(
                file,
                checkpoint=np.frombuffer(state["checkpoint"], dtype=np.uint8),
                record=json.dumps({**record, "settings": self.settings}),
            )
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.checkpoint)

    def load_energies(self, count):
        """Return the energies of the first frames, (count, ladders, temperatures) in kJ/mol."""
        energies = np.fromfile(self.energies, dtype=np.float64)
        return energies.reshape(-1, *self.energy_shape)[:count]

    def write_trajectory(self, count, energies):
        """Write the first frames of each ladder as the trajectory, under a temporary name until it is complete."""
        frames = np.memmap(self.frames, dtype=np.float32, mode="r", shape=(count, *self.frame_shape))
        temporary = self.output.with_suffix(".part" + self.output.suffix)
        dcd = self.output.suffix.lower() == ".dcd"
        try:
            with self._open_trajectory(str(temporary), dcd) as file:
                for ladder in range(self.frame_shape[0]):
                    for start in range(0, count, CHUNK):
                        part = np.ascontiguousarray(frames[start : start + CHUNK, ladder])
                        if dcd:
                            file.write(10 * part)
                        else:
                            file.write(part, potentialEnergy=energies[start : start + CHUNK, ladder, 0])
            os.replace(temporary, self.output)
        except OSError as error:
            raise OpenMMException(f"Cannot write {self.output}: {error.strerror or error}.") from error
        except TypeError as error:  # what MDTraj 1.11 makes of a full disk
            raise OpenMMException(f"Cannot write {self.output}: is the disk full?") from error
        finally:
            temporary.unlink(missing_ok=True)

    def _open_trajectory(self, path, dcd):
        # MDTraj takes a second to import.
        import mdtraj

        if dcd:
            return mdtraj.formats.DCDTrajectoryFile(path, "w", force_overwrite=True)
        file = mdtraj.formats.HDF5TrajectoryFile(path, "w", force_overwrite=True)
        file.topology = mdtraj.Topology.from_openmm(self.topology)
        return file

    def delete(self):
        """Delete all but the trajectory and its statistics."""
        for path in (self.checkpoint, self.frames, self.energies):
            path.unlink(missing_ok=True)
