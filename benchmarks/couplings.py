"""Coupling flows on one core: openmm-flow's CPU platform against PyTorch, eager and compiled.

Run by `make bench`. Prints, for the configurations of the paper (Midgley et al. 2023, arXiv 2308.10364), samples with
joint log q per CPU-second in single precision at the best batch sizes, ratios, and the share of the core's peak that
openmm-flow's matrix products amount to. Every figure is the median of interleaved rounds, since shared machines drift;
the peak is the highest. The authors' JAX code takes part where --jax-code says where it is (peers/authors_jax.py has what
it needs); what is recorded of it is of another machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))

# Of the equivariant flow, and of the baseline of the paper, which is not equivariant.
TRANSFORMS = ["spherical", "cartesian-affine", "cartesian-spline", "vector"]
BASELINES = ["affine", "spline"]
CONFIGURATIONS = {
    "DW4": {"types": [0] * 4, "dimensions": 2},
    "LJ13": {"types": [0] * 13},
    "ALDP": {
        "types": list(range(22)),
        "layers": 20,
        "hidden": 128,
        "scaling": True,
        "augmented_scale": 0.05,
        "base_scale": 0.1,
        "spline_range": 1,
        "length_unit": 0.1,
    },
}
# What differs in the baseline.
BASELINE_CONFIGURATIONS = {
    "DW4": {"key_size": 16},
    "LJ13": {"key_size": 24},
    "ALDP": {"attention_heads": 3, "key_size": 12, "hidden": 64},
}
# Few, since one batch of ALDP takes seconds; rates of PyTorch hardly depend on the batch around these.
BATCHES = {
    "DW4": {"openmmflow": [1024], "eager": [128, 512], "compiled": [256], "jax": [128, 512]},
    "LJ13": {"openmmflow": [64], "eager": [16, 64], "compiled": [32], "jax": [16, 64]},
    "ALDP": {"openmmflow": [32], "eager": [2, 8], "compiled": [8], "jax": [2, 8]},
}
BASELINE_BATCHES = {"openmmflow": [256], "eager": [128, 512], "compiled": [128], "jax": [16, 128, 512]}
# Of the authors' JAX code, XLA-compiled, per CPU-second of one core of another machine. Not measured here.
RECORDED = {
    "DW4": {"spherical": "456", "cartesian": "310 to 460", "vector": "410", "baseline": "2900"},
    "LJ13": {"spherical": "39.6", "cartesian": "38", "vector": "38", "baseline": "528"},
    "ALDP": {"spherical": "4.4", "cartesian": "4.4", "vector": "4.6", "baseline": "351"},
}
RECORDED_PEAK = 170


def count_baseline_multiply_adds(options):
    """Multiply-adds of the dense layers and of attention for one sample of one copy; nothing else is counted."""
    n, dim, hidden, head = (options[name] for name in ("particles", "dimensions", "hidden", "head_hidden"))
    features = options["attention_heads"] * options["key_size"]
    parameters = 2 if options["transform"] == "affine" else 3 * options["bins"] + 1
    block = 4 * features**2 + 2 * n * features + hidden * (2 * features + hidden)
    outer = dim * features + head * (features + head + dim * parameters)
    return 2 * options["layers"] * n * (options["blocks"] * block + outer)


def count_multiply_adds(options, types):
    """Multiply-adds of the dense layers for one sample of one copy; nothing else is counted."""
    if options["transform"] in BASELINES:
        return count_baseline_multiply_adds(options)
    n, dim = options["particles"], options["dimensions"]
    hidden, features, head = options["hidden"], options["features"], options["head_hidden"]
    is_vector, is_affine = options["transform"] == "vector", options["transform"] == "cartesian-affine"
    vectors = options["repeats"] * (1 if is_vector else dim)
    pairs = vectors * (vectors - 1) // 2
    outputs = (1 if is_vector else dim) * (2 if is_affine else 3 * options["bins"] + 1)
    # Only what depends on the edge; the terms of sender and receiver are computed once a particle. The second layer,
    # the gate, and the network of the shifts follow.
    edge = hidden * hidden + hidden + 2 * hidden * hidden + hidden * vectors
    # In block 0 features are known by type, so of the terms of particles only the message's part of `node` is left, and
    # all vectors start from one cloud, so there is one distance and no cross; between two particles of one type there
    # is one message for both ways.
    mutual = sum(types[i] == types[j] for i in range(n) for j in range(i))
    first = (n * (n - 1) - mutual) * (hidden + edge) + n * (hidden * hidden)
    later = n * (n - 1) * (vectors * hidden + edge) + n * (hidden + features) * hidden
    later += n * 2 * (features + pairs) * hidden
    if pairs:
        later += n * (2 * hidden * hidden + hidden * 2 * pairs)
    node = n * (hidden * hidden + hidden * features)
    blocks = first + (options["blocks"] - 1) * later + options["blocks"] * node
    heads = options["repeats"] * n * (features * head + head * head + head * outputs)
    return 2 * options["layers"] * (blocks + heads)


def write_flow(name, transform, path):
    """An untrained flow, which takes as long as a trained one; return its configuration."""
    import openmmflow

    if transform in BASELINES:
        options = CONFIGURATIONS[name] | BASELINE_CONFIGURATIONS[name]
        flow = openmmflow.createAugmentedCouplingFlow(transform=transform, **options)
    else:
        options = CONFIGURATIONS[name]
        # As in the paper: one distance a time, as often as there are dimensions.
        repeats = options.get("dimensions", 3) if transform == "vector" else 1
        flow = openmmflow.createEquivariantCouplingFlow(transform=transform, repeats=repeats, **options)
    flow.save(path)
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return json.loads(header["__metadata__"]["configuration"])


def rate(sample, batch, seconds):
    """Samples per CPU-second, as the recorded figures are: what others do on the core matters less to it."""
    sample(batch)
    done, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        sample(batch)
        done += batch
    return done / (time.process_time() - start)


def measure_child(kind, batches, seconds, *source):
    """Measure in this process (pinned to a core before anything starts threads); print JSON."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    sys.path.insert(0, os.path.join(HERE, "peers"))
    if kind == "openmmflow":
        import openmm

        import openmmflow

        platform = openmm.Platform.getPlatformByName("CPU")
        context = openmmflow.FlowContext(openmmflow.Flow.load(*source), platform, {"Threads": "1"})
        sample = context.sampleJoint
    elif kind == "jax":
        from authors_jax import make_sampler

        sample = make_sampler(*source)
    else:
        import torch
        from load_flow import load_flow

        torch.set_num_threads(1)
        sample = load_flow(*source, compiled=kind == "compiled").sample
    rates = {batch: rate(sample, batch, seconds) for batch in batches}
    best = max(rates, key=rates.get)
    result = {"batch": best, "rate": rates[best]}
    if kind == "openmmflow":
        one, _ = context.sampleJoint(1, seed=1)
        result["one"] = 1000 / rate(lambda _: context.jointLogDensityGradient(one), 1, seconds)
    print(json.dumps(result))


def measure(kind, path, name, transform, arguments):
    batches = (BASELINE_BATCHES if transform in BASELINES else BATCHES[name])[kind]
    python = {"openmmflow": sys.executable, "jax": arguments.jax_python}.get(kind, arguments.torch_python)
    source = [os.path.abspath(arguments.jax_code), name, transform] if kind == "jax" else [path]
    command = [python, os.path.abspath(__file__), "--seconds", str(arguments.seconds)]
    command += ["--child", kind, json.dumps(batches), *source]
    flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    environment = dict(os.environ, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", XLA_FLAGS=flags)
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    if run.returncode != 0:
        # A compiler may be missing or fail, which is a result; nothing else may.
        if kind != "compiled":
            raise RuntimeError(run.stderr)
        return {"error": (run.stderr.strip().splitlines() or ["no message"])[-1]}
    return json.loads(run.stdout.splitlines()[-1])


def median(values):
    return statistics.median(values)


def spread(values):
    return f"{median(values):10.2f}  ({min(values):.2f} to {max(values):.2f})"


def compare(name, transform, arguments):
    kinds = ["openmmflow", "eager", "compiled"] + (["jax"] if arguments.jax_code else [])
    results = {kind: [] for kind in kinds}
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "flow.safetensors")
        options = write_flow(name, transform, path)
        flops = 2 * count_multiply_adds(options, CONFIGURATIONS[name]["types"])
        for _ in range(arguments.rounds):
            # Many runs, as its best is by the wall clock, and must escape what others do on the core.
            run = subprocess.run([arguments.peak, "200"], check=True, capture_output=True, text=True)
            peaks.append(float(run.stdout))
            for kind, runs in results.items():
                if runs and "error" in runs[0]:
                    continue
                runs.append(measure(kind, path, name, transform, arguments))

    ours = [run["rate"] for run in results["openmmflow"]]
    print(f"\n{name}, {transform}, {arguments.rounds} interleaved rounds, one core")
    labels = {
        "openmmflow": "openmm-flow, CPU platform",
        "eager": "eager PyTorch",
        "compiled": "torch.compile",
        "jax": "authors' JAX code",
    }
    for kind, runs in results.items():
        if "error" in runs[0]:
            print(f"{labels[kind]:<38}    failed: {runs[0]['error']}")
            continue
        speed, batch = median([run["rate"] for run in runs]), runs[-1]["batch"]
        print(f"{labels[kind]:<38}{speed:10.1f} samples per CPU-second  (batch {batch})")
        if kind != "openmmflow":
            print(f"  ratio{'':31}{spread([a / run['rate'] for a, run in zip(ours, runs, strict=True)])}")
    recorded = RECORDED[name]["baseline" if transform in BASELINES else transform.split("-")[0]]
    print(f"{'authors JAX code, RECORDED elsewhere':<38}{recorded:>10} samples per CPU-second")
    print(f"{'  peak of the core there, about':<38}{RECORDED_PEAK:10.1f} GFLOP/s")
    print(f"{'peak of the core here, measured':<38}{max(peaks):10.1f} GFLOP/s")
    print(f"{'matrix products':<38}{flops / 1e6:10.2f} MFLOP a sample")
    ones = [run["one"] for run in results["openmmflow"]]
    print(f"{'log q and gradient of one configuration':<38}{spread(ones)} ms")
    shares = [100 * a * flops / 1e9 / max(peaks) for a in ours]
    print(f"{'openmm-flow: share of the peak, %':<38}{spread(shares)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peak", help="the program built from peak.cpp")
    parser.add_argument(
        "--torch-python", default=sys.executable, help="a Python that has torch and safetensors"
    )
    parser.add_argument(
        "--transforms", nargs="+", choices=TRANSFORMS + BASELINES, default=["spherical", "affine"]
    )
    parser.add_argument("--flows", nargs="+", choices=list(CONFIGURATIONS), default=list(CONFIGURATIONS))
    parser.add_argument("--jax-code", help="a checkout of the authors' JAX code")
    parser.add_argument("--jax-python", default=sys.executable, help="a Python that has what this needs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each batch size")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        kind, batches, *source = arguments.child
        return measure_child(kind, json.loads(batches), arguments.seconds, *source)
    for transform in arguments.transforms:
        for name in arguments.flows:
            compare(name, transform, arguments)


if __name__ == "__main__":
    main()
