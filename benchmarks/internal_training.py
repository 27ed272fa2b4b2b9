"""Training of the internal-coordinate flow of alanine dipeptide on one core: openmm-flow against plain eager PyTorch.

Prints samples trained on per CPU-second in single precision, gradient and optimiser included, the ratio, and the share of the
core's peak that the matrix products amount to: by likelihood, and from the energy alone, where each sample is drawn,
its energy and forces evaluated, and the path gradient taken. Every figure is the median of interleaved rounds. Needs
openmm-flow-training.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from couplings import rate
from proposals import count_flops

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH = 512
LABELS = {
    "likelihood": "openmm-flow, likelihood",
    "energy": "openmm-flow, energy alone (OBC1)",
    "eager": "eager PyTorch, likelihood",
}
# How often the dense layers are multiplied by: forwards and both ways back; own samples are drawn first, forwards and the
# way back by coordinates.
PRODUCTS = {"likelihood": 3, "energy": 5}


def measure_trainer(kind, path, system_path, seconds):
    """Samples per CPU-second of FlowTrainer."""
    import openmm

    import openmmflow
    from openmmflow.training import FlowTrainer, FlowTrainerOptions

    flow = openmmflow.Flow.load(path)
    reports = []

    def follow(progress):
        reports.append((progress.samples, time.process_time()))
        return len(reports) < 2 or reports[-1][1] - reports[0][1] < seconds

    options = FlowTrainerOptions(
        batchSize=BATCH,
        learningRate=1e-4,
        maxSamples=10**9,
        maxValidationFrames=1,
        validationInterval=1000000,
        targetSamples=100,
        initialTemperature=300,
        threads=1,
    )
    trainer = FlowTrainer(flow, options)
    if kind == "energy":
        with open(system_path) as file:
            trainer.setTarget(openmm.XmlSerializer.deserialize(file.read()), 300)
        trainer.trainOnEnergy(follow)
    else:
        positions, _ = openmmflow.FlowContext(flow, "CPU").sample(20 * BATCH, seed=1)
        trainer.train(positions, progress=follow)
    (first, start), (last, end) = reports[0], reports[-1]
    return (last - first) / (end - start)


def measure_eager(path, seconds):
    """Samples per CPU-second of PyTorch."""
    import torch

    torch.set_num_threads(1)
    sys.path.insert(0, os.path.join(HERE, "peers"))
    from eager_training import EagerTraining

    flow = EagerTraining(path, 1e-4)
    coordinates = flow.draw_coordinates(BATCH)
    return rate(lambda _: flow.train(coordinates), BATCH, seconds)


def measure_child(kind, arguments):
    """Measure in this process, pinned to a core before anything starts threads; print JSON."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    if kind == "eager":
        print(json.dumps(measure_eager(arguments.flow, arguments.seconds)))
    else:
        print(json.dumps(measure_trainer(kind, arguments.flow, arguments.system, arguments.seconds)))


def measure(python, kind, arguments):
    command = [python, os.path.abspath(__file__), arguments.flow, arguments.system, "--child", kind]
    environment = dict(os.environ, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    run = subprocess.run(
        [*command, "--seconds", str(arguments.seconds)], capture_output=True, text=True, env=environment
    )
    if run.returncode != 0:
        raise RuntimeError(run.stderr)
    return json.loads(run.stdout.splitlines()[-1])


def measure_peak(program):
    run = subprocess.run([program, "200"], check=True, capture_output=True, text=True)
    return float(run.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("flow", help="the flow to train")
    parser.add_argument("system", help="its System, in XML")
    parser.add_argument("--peak", help="the program built from peak.cpp")
    parser.add_argument(
        "--torch-python", default=sys.executable, help="a Python that has torch and safetensors"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--child", choices=list(LABELS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return measure_child(arguments.child, arguments)
    rates, peaks = {kind: [] for kind in LABELS}, []
    for _ in range(arguments.rounds):
        peaks += [measure_peak(arguments.peak)] if arguments.peak else []
        for kind, found in rates.items():
            python = arguments.torch_python if kind == "eager" else sys.executable
            found.append(measure(python, kind, arguments))
    print(f"\n{arguments.flow}, batches of {BATCH}, {arguments.rounds} interleaved rounds, one core")
    for kind, found in rates.items():
        print(f"{LABELS[kind]:<38}{statistics.median(found):10.0f} samples per CPU-second")
        if kind != "eager":
            ratios = [a / b for a, b in zip(found, rates["eager"], strict=True)]
            print(
                f"  to eager PyTorch{'':22}{statistics.median(ratios):10.2f}  ({min(ratios):.2f} to {max(ratios):.2f})"
            )
        if kind in PRODUCTS and peaks:
            flops = PRODUCTS[kind] * count_flops(arguments.flow)
            share = 100 * statistics.median(found) * flops / 1e9 / max(peaks)
            print(f"  share of the peak, %{'':18}{share:10.0f}  (peak {max(peaks):.0f} GFLOP/s)")


if __name__ == "__main__":
    main()
