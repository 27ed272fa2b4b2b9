"""Coupling flows against the same flow in plain PyTorch, benchmarks/peers/."""

import sys

import numpy as np
import pytest
from conftest import SOURCE
from safetensors import safe_open
from safetensors.numpy import save_file

import openmmflow

torch = pytest.importorskip("torch", exc_type=ImportError)
sys.path.insert(0, str(SOURCE / "benchmarks" / "peers"))
from load_flow import load_flow  # noqa: E402

# Threads that wait for each other cost more than such small tensors.
torch.set_num_threads(1)

TRANSFORMS = ["spherical", "cartesian-affine", "cartesian-spline", "vector"]
SMALL = {
    "layers": 2,
    "blocks": 2,
    "hidden": 10,
    "features": 7,
    "head_hidden": 9,
    "bins": 5,
    "spline_range": 3,
    "base_scale": 1,
    "augmented_scale": 0.4,
}
VARIANTS = [
    *({"transform": transform, "dimensions": dim} for transform in TRANSFORMS for dim in (2, 3)),
    {"transform": "spherical", "dimensions": 3, "types": [0, 1, 2, 0, 1], "repeats": 2, "scaling": True},
    {"transform": "cartesian-affine", "dimensions": 2, "repeats": 3, "blocks": 3},
    {"transform": "cartesian-spline", "dimensions": 3, "scaling": True, "blocks": 1},
    {"transform": "vector", "dimensions": 3, "types": [0, 0, 1], "repeats": 3, "scaling": True},
    {
        "transform": "spherical",
        "dimensions": 3,
        "scaling": True,
        "length_unit": 0.1,
        "spline_range": 0.3,
        "base_scale": 0.1,
        "augmented_scale": 0.05,
    },
]


# Of the baseline.
VARIANTS += [
    {"transform": transform, "dimensions": dim} for transform in ("affine", "spline") for dim in (2, 3)
]
VARIANTS += [{"transform": "spline", "types": [0, 1, 2, 0, 1], "blocks": 3, "scaling": True}]


def create(options):
    """A flow of the family that has the transform."""
    if options["transform"] in ("affine", "spline"):
        options = {name: value for name, value in options.items() if name != "features"}
        return openmmflow.createAugmentedCouplingFlow(attention_heads=2, key_size=3, **options, seed=1)
    return openmmflow.createEquivariantCouplingFlow(**options, seed=1)


def name_of(variant):
    return "-".join(str(value) for value in variant.values())


@pytest.fixture(params=VARIANTS, ids=name_of)
def path(request, tmp_path):
    """The file of a flow of random parameters: those that a new one has make every coupling the identity."""
    options = {"types": [0, 0, 0, 0]} | SMALL | request.param
    path = tmp_path / "flow.safetensors"
    create(options).save(path)
    with safe_open(path, "numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        metadata = file.metadata()
    random = np.random.default_rng(2)
    for name, tensor in tensors.items():
        if np.issubdtype(tensor.dtype, np.floating):
            # Vectors that move far span good frames, and mild functions keep what rounding grows to below 1e-9.
            moves = "shift.output" in name or "cross.output" in name
            size = 0.3 if moves else 0.05 if "scaling" in name or "heads" in name else 0.1
            tensors[name] = (tensor + size * random.normal(size=tensor.shape)).astype(tensor.dtype)
    save_file(tensors, path, metadata)
    return path


@pytest.fixture(params=["Reference", "CPU"])
def context(request, path):
    properties = {"Precision": "double"} if request.param == "CPU" else {}
    return openmmflow.FlowContext(openmmflow.Flow.fromBytes(path.read_bytes()), request.param, properties)


def test_log_density_agrees(path, context):
    positions, log_q = context.sampleJoint(50, seed=3)
    peer = load_flow(path, dtype=torch.float64)
    np.testing.assert_allclose(peer.log_density(torch.from_numpy(positions)), log_q, rtol=0, atol=1e-9)
    # Beyond the range of the splines too.
    wide = 2 * positions
    expected = context.jointLogDensity(wide)
    np.testing.assert_allclose(peer.log_density(torch.from_numpy(wide)), expected, rtol=0, atol=1e-9)


def test_log_q_of_samples_agrees(path, context):
    torch.manual_seed(4)
    positions, log_q = load_flow(path, dtype=torch.float64).sample(50)
    np.testing.assert_allclose(log_q, context.jointLogDensity(positions.numpy()), rtol=0, atol=1e-9)


def test_log_q_varies(path):
    """Else the comparisons would prove little: a flow that does nothing has log q of the base."""
    torch.manual_seed(4)
    flow = load_flow(path, dtype=torch.float64)
    positions, log_q = flow.sample(50)
    x, a = (positions[..., : flow.dim] / flow.unit).split(flow.n, 1)
    assert (log_q - flow._base_log_density(x, a)).std() > 0.1


def test_single_precision_is_close(path):
    torch.manual_seed(4)
    positions, log_q = load_flow(path).sample(50)
    expected = load_flow(path, dtype=torch.float64).log_density(positions.double())
    assert (log_q - expected).abs().median() < 1e-3


@pytest.mark.parametrize("path", VARIANTS[1:2], ids=name_of, indirect=True)
def test_torch_compiles_it(path):
    """Traced and split for compilation, but not made machine code, which takes a minute and a compiler."""
    flow = load_flow(path, dtype=torch.float64)
    flow.couple = torch.compile(flow.couple, fullgraph=True, backend="aot_eager")
    positions, log_q = flow.sample(50)
    expected = load_flow(path, dtype=torch.float64).log_density(positions)
    np.testing.assert_allclose(log_q, expected, rtol=0, atol=1e-9)
