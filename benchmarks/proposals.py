"""Proposals with log q: openmm-flow's CPU platform against plain eager PyTorch, the same flow on the same core, in one run.

Run by `make bench`. Prints samples per second of both at their best batch sizes, the ratio, the share of the core's peak
that openmm-flow's matrix products amount to, and the speed-up on two cores. Every figure is the median of interleaved
rounds, since shared machines drift.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def count_flops(path):
    """Multiply-adds of the dense layers for one sample, counted as two operations each; nothing else is counted."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    shapes = [
        t["shape"] for name, t in header.items() if name.startswith("couplings.") and name.endswith(".weight")
    ]
    return sum(2 * rows * columns for rows, columns in shapes)


def rate(sample, batch, seconds):
    """Samples per second over at least `seconds`."""
    sample(batch)
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        sample(batch)
        done += batch
    return done / (time.perf_counter() - start)


def measure_child(kind, path, threads, seconds):
    """Measure in this process (pinned to its cores before anything starts threads); print JSON."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    if kind == "torch":
        import torch

        torch.set_num_threads(threads)
        sys.path.insert(0, os.path.join(HERE, "peers"))
        from eager_torch import EagerFlow

        flow = EagerFlow(path)
        batches = [256, 512, 1024, 2048, 4096, 8192]
        sample = flow.sample
    else:
        import openmm

        import openmmflow

        platform = openmm.Platform.getPlatformByName("CPU")
        context = openmmflow.FlowContext(openmmflow.Flow.load(path), platform, {"Threads": str(threads)})
        batches = [1024, 4096, 16384]
        sample = context.sample
    rates = {batch: rate(sample, batch, seconds) for batch in batches}
    best = max(rates, key=rates.get)
    print(json.dumps({"batch": best, "rate": rates[best]}))


def measure(python, kind, path, threads, seconds):
    command = [
        python,
        os.path.abspath(__file__),
        path,
        "--child",
        kind,
        str(threads),
        "--seconds",
        str(seconds),
    ]
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    return json.loads(output.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("flow", help="a model file of the internal family")
    parser.add_argument("--peak", help="the program built from peak.cpp")
    parser.add_argument(
        "--torch-python", default=sys.executable, help="a Python that has torch and safetensors"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each batch size")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return measure_child(arguments.child[0], arguments.flow, int(arguments.child[1]), arguments.seconds)

    flops = count_flops(arguments.flow)
    ours, torch, two, peaks = [], [], [], []
    for _ in range(arguments.rounds):
        peaks.append(
            float(subprocess.run([arguments.peak], check=True, capture_output=True, text=True).stdout)
        )
        ours.append(measure(sys.executable, "openmmflow", arguments.flow, 1, arguments.seconds))
        torch.append(measure(arguments.torch_python, "torch", arguments.flow, 1, arguments.seconds))
        if os.cpu_count() > 1:
            two.append(measure(sys.executable, "openmmflow", arguments.flow, 2, arguments.seconds))

    def median(results):
        return statistics.median(result["rate"] for result in results)

    ratios = [a["rate"] / b["rate"] for a, b in zip(ours, torch, strict=True)]
    shares = [a["rate"] * flops / 1e9 / peak for a, peak in zip(ours, peaks, strict=True)]
    print(f"proposals with log q, {os.path.basename(arguments.flow)}, {arguments.rounds} interleaved rounds")
    print(
        f"openmm-flow, CPU platform, one core   {median(ours):10.0f} samples/s  (batch {ours[-1]['batch']})"
    )
    print(
        f"eager PyTorch, the same core          {median(torch):10.0f} samples/s  (batch {torch[-1]['batch']})"
    )
    print(
        f"ratio                                 {statistics.median(ratios):10.2f}  ({min(ratios):.2f} to {max(ratios):.2f})"
    )
    print(f"matrix products                       {flops / 1e6:10.2f} MFLOP a sample")
    print(f"peak of the core, measured            {statistics.median(peaks):10.1f} GFLOP/s")
    print(
        f"share of the peak                     {100 * statistics.median(shares):10.1f} %"
        f"  ({100 * min(shares):.1f} to {100 * max(shares):.1f})"
    )
    if two:
        speedups = [b["rate"] / a["rate"] for a, b in zip(ours, two, strict=True)]
        print(
            f"two cores against one                 {statistics.median(speedups):10.2f} times"
            f"  ({min(speedups):.2f} to {max(speedups):.2f})"
        )


if __name__ == "__main__":
    main()
