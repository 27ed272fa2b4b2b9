"""Sampling and reweighting by the workers of a Dask cluster: what one process would give, in the same order."""

import threading
from dataclasses import dataclass

import openmm
from openmm import OpenMMException

import openmmflow

# So many samples are a task: seconds of work, against milliseconds that a task costs.
BLOCK = 10_000
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
    except (OSError, ValueError, TimeoutError) as error:
        raise OpenMMException(
            f"There is no Dask scheduler at {address} ({error}): start one with `dask scheduler`."
        ) from error


def sample(client, work, count, seed=0, first=0, progress=None):
    """Draw samples first ... first+count-1 of a seed and weight them.

    Parameters
    ----------
    client : distributed.Client
    work : Work
    count, seed, first : int
    progress : callable, optional
        called as progress(done, total) as samples arrive; when it returns False, those at the beginning that have
        arrived are returned

    Returns
    -------
    WeightedEnsemble, or None if there is none yet
    """
    ranges = [(start, min(BLOCK, first + count - start)) for start in range(first, first + count, BLOCK)]
    tasks = [(work, size, seed, start) for start, size in ranges]
    return _run(client, _sample, tasks, [size for _, size in ranges], progress)


def reweight(client, work, positions, progress=None):
    """Weight configurations (count, N, 3) in nm that were drawn from the flow; otherwise as sample()."""
    starts = range(0, len(positions), BLOCK)
    tasks = [(work, positions[start : start + BLOCK], start) for start in starts]
    return _run(client, _reweight, tasks, [len(task[1]) for task in tasks], progress)


def _sample(work, count, seed, first):
    return work.make_sampler().sample(count, seed, first)


def _reweight(work, positions, first):
    return work.make_sampler().reweight(positions, first=first)


def _run(client, function, tasks, sizes, progress):
    """Return the ensembles of all tasks, joined in their order."""
    from distributed import KilledWorker, as_completed

    if not client.scheduler_info()["workers"]:
        raise OpenMMException("The Dask cluster has no workers: start some with `dask worker`.")
    # Results that nobody waits for yet stay with the workers, so there are never many.
    ahead = 4 * sum(client.nthreads().values())
    futures, arrived = {}, {}
    ensemble, joined, done = None, 0, 0
    total, waiting = sum(sizes), iter(enumerate(tasks))
    completed = as_completed(loop=client.loop)

    def submit():
        for index, task in waiting:
            future = client.submit(function, *task, pure=False)
            futures[future] = index
            completed.add(future)
            return

    for _ in range(ahead):
        submit()
    try:
        for future in completed:
            index = futures.pop(future)
            arrived[index] = future.result()
            submit()
            while joined in arrived:
                part = arrived.pop(joined)
                if ensemble is None:
                    ensemble = part
                else:
                    ensemble._append(part)
                joined += 1
            done += sizes[index]
            if progress is not None and progress(done, total) is False:
                break
    except KilledWorker as error:
        raise OpenMMException(f"Workers of the Dask cluster die at their work: {error}") from error
    finally:
        client.cancel(list(futures))
    return ensemble
