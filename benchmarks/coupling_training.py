"""Training of coupling flows by likelihood, on one core: openmm-flow against PyTorch, eager and compiled.

Prints, for the configurations of the paper (Midgley et al. 2023, arXiv 2308.10364), samples trained on per CPU-second in
single precision, gradient and optimiser included, and ratios. Every figure is the median of interleaved rounds. Figures of
the authors' JAX code are recorded ones, of another machine. Needs openmm-flow-training.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from couplings import BASELINES, CONFIGURATIONS, HERE, TRANSFORMS, rate, write_flow

# The batches of the paper.
BATCHES = {"DW4": 32, "LJ13": 32, "ALDP": 20}
# Of the authors' JAX code with the gradient of a batch, per CPU-second of one core of another machine.
RECORDED = {"DW4": 61, "LJ13": 6.4, "ALDP": 0.65}
LABELS = {"openmmflow": "openmm-flow", "eager": "eager PyTorch", "compiled": "torch.compile"}
LEARNING_RATE = 1e-4


def measure_trainer(path, batch, seconds):
    """Samples per CPU-second of FlowTrainer."""
    import openmmflow
    from openmmflow.training import FlowTrainer, FlowTrainerOptions

    flow = openmmflow.Flow.load(path)
    positions, _ = openmmflow.FlowContext(flow, "CPU").sample(8 * batch, seed=1)
    reports = []

    def follow(progress):
        reports.append((progress.samples, time.process_time()))
        return len(reports) < 2 or reports[-1][1] - reports[0][1] < seconds

    options = FlowTrainerOptions(
        batchSize=batch,
        learningRate=LEARNING_RATE,
        maxGradientNorm=1e6,
        maxValidationFrames=1,
        validationInterval=1000000,
        threads=1,
    )
    FlowTrainer(flow, options).train(positions, progress=follow)
    (first, start), (last, end) = reports[0], reports[-1]
    return (last - first) / (end - start)


def measure_torch(kind, path, batch, seconds):
    """Samples per CPU-second of PyTorch."""
    import torch

    torch.set_num_threads(1)
    sys.path.insert(0, os.path.join(HERE, "peers"))
    from load_flow import load_flow

    flow = load_flow(path, compiled=kind == "compiled")
    joint, _ = flow.sample(batch)
    flow.start_training(LEARNING_RATE)
    return rate(lambda _: flow.train(joint), batch, seconds)


def measure_child(kind, path, batch, seconds):
    """Measure in this process, pinned to a core before anything starts threads; print JSON."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    if kind == "openmmflow":
        print(json.dumps(measure_trainer(path, batch, seconds)))
    else:
        print(json.dumps(measure_torch(kind, path, batch, seconds)))


def measure(python, kind, path, batch, seconds):
    command = [python, os.path.abspath(__file__), "--child", kind, path, str(batch)]
    environment = dict(os.environ, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    run = subprocess.run(
        [*command, "--seconds", str(seconds)], capture_output=True, text=True, env=environment
    )
    if run.returncode != 0:
        # A compiler may be missing or fail, which is a result; nothing else may.
        if kind != "compiled":
            raise RuntimeError(run.stderr)
        return None
    return json.loads(run.stdout.splitlines()[-1])


def compare(name, transform, arguments):
    runs = {kind: [] for kind in arguments.kinds}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "flow.safetensors")
        write_flow(name, transform, path)
        for _ in range(arguments.rounds):
            for kind, rates in runs.items():
                if rates and rates[0] is None:
                    continue
                python = sys.executable if kind == "openmmflow" else arguments.torch_python
                rates.append(measure(python, kind, path, BATCHES[name], arguments.seconds))
    print(
        f"\n{name}, {transform}, batches of {BATCHES[name]}, {arguments.rounds} interleaved rounds, one core"
    )
    for kind, rates in runs.items():
        if rates[0] is None:
            print(f"{LABELS[kind]:<38}    failed")
            continue
        print(f"{LABELS[kind]:<38}{statistics.median(rates):10.2f} samples per CPU-second")
        if kind != "openmmflow" and "openmmflow" in runs:
            ratios = [a / b for a, b in zip(runs["openmmflow"], rates, strict=True)]
            print(
                f"  ratio{'':31}{statistics.median(ratios):10.2f}  ({min(ratios):.2f} to {max(ratios):.2f})"
            )
    if transform not in BASELINES:
        print(f"{'authors JAX code, RECORDED elsewhere':<38}{RECORDED[name]:>10} samples per CPU-second")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--torch-python", default=sys.executable, help="a Python that has torch and safetensors"
    )
    parser.add_argument("--transforms", nargs="+", choices=TRANSFORMS + BASELINES, default=["spherical"])
    parser.add_argument("--flows", nargs="+", choices=list(CONFIGURATIONS), default=list(CONFIGURATIONS))
    parser.add_argument("--kinds", nargs="+", choices=list(LABELS), default=list(LABELS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        kind, path, batch = arguments.child
        return measure_child(kind, path, int(batch), arguments.seconds)
    for transform in arguments.transforms:
        for name in arguments.flows:
            compare(name, transform, arguments)


if __name__ == "__main__":
    main()
