"""Sampling and reweighting by the workers of a Dask cluster: what one process would give, in the same order."""

import threading
import time
import warnings
from dataclasses import dataclass

import openmm
from openmm import OpenMMException

import openmmflow

# So many samples are a task: seconds of work, against milliseconds that a task costs.
BLOCK = 10_000
# A cluster that starts has no workers for a while; one that has lost them gets as long.
PATIENCE = 60.0  # seconds
# To fetch the result of a task, a few megabytes.
RESULT_PATIENCE = 10.0  # seconds
_local = threading.local()


@dataclass(frozen=True)
class Work:
    """What the tasks of a run have in common: a FlowSampler in parts that can be sent."""

    flow: "openmmflow.Flow"
    system: str
    """The System in XML."""
    temperature: float
    platform: str | None
    properties: tuple
    """Of the platform: pairs of names and values."""
    verification: float
    """The fraction of energies to compare with those of OpenMM."""

    def make_sampler(self):
        """Return the sampler, which each thread of a worker makes once."""
        key = (
            self.flow.hash,
            self.system,
            self.temperature,
            self.platform,
            self.properties,
            self.verification,
        )
        if getattr(_local, "key", None) != key:
            system = openmm.XmlSerializer.deserialize(self.system)
            sampler = openmmflow.FlowSampler(
                system, self.flow, self.temperature, self.platform, dict(self.properties)
            )
            sampler.setEnergyVerification(self.verification)
            _local.key, _local.sampler = key, sampler
        return _local.sampler


def connect(address):
    """Return the Client of the Dask scheduler at an address, such as tcp://host:8786."""
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise OpenMMException(
            "A Dask scheduler needs the package distributed: pip install distributed."
        ) from error
    try:
        return Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise OpenMMException(
            f"There is no Dask scheduler at {address} ({error}): start one with `dask scheduler`."
        ) from error


def sample(client, work, path, count, seed=0, first=0, progress=None):
    """Draw samples first ... first+count-1 of a seed, weight them, and write them to a file as they arrive.

    Parameters
    ----------
    client : distributed.Client
    work : Work
    path : str
    count, seed, first : int
    progress : callable, optional
        called as progress(done, total), once a second at least; when it returns False, the samples before the first
        one that has not arrived are written and returned. So they are where the cluster fails, with a warning.

    Returns
    -------
    WeightedEnsemble
        without positions, which are in the file; None if there is nothing and no file
    """
    ensemble = writer = None
    starts = range(first, first + count, BLOCK)
    tasks = [(work, min(BLOCK, first + count - start), seed, start) for start in starts]
    for part in _run(client, _sample, tasks, [task[1] for task in tasks], progress, keep=True):
        rest = part._withoutPositions()
        if writer is None:
            description = rest.slice(0, 0)
            description._addSampleRange(seed, first, count)
            writer = openmmflow.openmmflow._EnsembleWriter(str(path), description, count, True)
        writer.addPositions(part.positions)
        if ensemble is None:
            ensemble = rest
        else:
            ensemble._append(rest)
    if writer is not None:
        writer.finish(ensemble)
    return ensemble


def reweight(client, work, positions, progress=None):
    """Weight configurations (count, N, 3) in nm that were drawn from the flow.

    Returns
    -------
    WeightedEnsemble
        with as many as were done when progress(done, total) returned False
    """
    starts = range(0, len(positions), BLOCK)
    tasks = [(work, positions[start : start + BLOCK], start) for start in starts]
    parts = list(_run(client, _reweight, tasks, [len(task[1]) for task in tasks], progress, keep=False))
    return openmmflow.WeightedEnsemble.merge(parts or [work.make_sampler().reweight(positions[:0])])


def _sample(work, count, seed, first):
    return work.make_sampler().sample(count, seed, first)


def _reweight(work, positions, first):
    return work.make_sampler().reweight(positions, first=first)


def _run(client, function, tasks, sizes, progress, keep):
    """Yield the results of all tasks in their order, or of those at the beginning if progress() stops the run, or, with
    `keep`, if the cluster fails."""
    futures, arrived = {}, {}
    submitted = joined = done = 0
    last_workers = time.monotonic()
    try:
        while joined < len(tasks):
            threads = sum(client.nthreads().values())
            if threads > 0:
                last_workers = time.monotonic()
            elif time.monotonic() - last_workers > PATIENCE:
                raise RuntimeError("it has no workers: start some with `dask worker`")
            # Results that cannot be joined yet are kept in memory, so there are never many.
            while submitted < min(len(tasks), joined + 4 * threads):
                futures[client.submit(function, *tasks[submitted], pure=False)] = submitted
                submitted += 1
            for future in _wait(client, futures):
                try:
                    result = future.result(timeout=RESULT_PATIENCE)
                except TimeoutError:
                    # The worker that held it is gone: it is computed again.
                    continue
                index = futures.pop(future)
                arrived[index] = result
                done += sizes[index]
            while joined in arrived:
                yield arrived.pop(joined)
                joined += 1
            if progress is not None and progress(done, sum(sizes)) is False:
                return
    except OpenMMException:
        raise
    except Exception as error:  # Dask raises whatever workers and connections do
        sentence = f"The Dask cluster failed ({type(error).__name__}: {error})."
        if joined == 0 or not keep:
            raise OpenMMException(sentence) from error
        warnings.warn(sentence, stacklevel=2)
    finally:
        if client.status == "running":
            client.cancel(list(futures))


def _wait(client, futures):
    """Return the futures that are done within a second."""
    from distributed import wait

    if not futures:
        time.sleep(1)
        return ()
    try:
        with client.as_current():
            return wait(list(futures), timeout=1, return_when="FIRST_COMPLETED").done
    except TimeoutError:
        return ()
