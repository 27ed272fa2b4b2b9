"""openmmflow.training: what Python adds to FlowTrainer."""

import json

import numpy as np
import peroxide
import pytest
from openmm import OpenMMException, unit

import openmmflow
from openmmflow.training import FlowTrainer, FlowTrainerOptions

SMALL = {"couplings": 2, "hidden": 16, "blocks": 1, "bins": 4}


def make_flow(positions):
    return openmmflow.createInternalFlow(peroxide.make_topology(), positions[0], positions, **SMALL)


def short(**settings):
    return FlowTrainerOptions(
        **{"batchSize": 64, "maxSamples": 64 * 60, "validationInterval": 20, "threads": 1, **settings}
    )


@pytest.fixture(scope="module")
def positions():
    # The half in which the hydrogens are far apart: the untrained flow, with any torsion, is not yet right.
    positions = peroxide.make_positions(1000, seed=3)
    distances = np.linalg.norm(positions[:, 0] - positions[:, 3], axis=1)
    return positions[distances > np.median(distances)]


def test_arrays_of_any_kind_give_the_same_flow(positions):
    flow = make_flow(positions)
    expected = FlowTrainer(flow, short()).train(positions)
    assert expected.hash != flow.hash
    single = positions.astype(np.float32).astype(np.float64)
    reference = FlowTrainer(flow, short()).train(single).hash
    assert FlowTrainer(flow, short()).train(positions.astype(np.float32)).hash == reference
    assert FlowTrainer(flow, short()).train(single * 10 * unit.angstrom).num_particles == 4
    assert FlowTrainer(flow, short()).train(np.asfortranarray(positions)).hash == expected.hash


def test_devices(positions):
    flow = make_flow(positions)
    kernels, operations = (
        FlowTrainer(flow, short(device=device)).train(positions) for device in ("cpu", "torch-cpu")
    )
    assert [json.loads(f.metadata["training"])["device"] for f in (kernels, operations)] == [
        "cpu",
        "torch-cpu",
    ]
    np.testing.assert_allclose(
        *(openmmflow.FlowContext(f, "Reference").logDensity(positions[:50]) for f in (kernels, operations)),
        atol=1e-2,
    )
    assert kernels.hash != operations.hash
    with pytest.raises(OpenMMException, match="CUDA"):
        FlowTrainer(flow, short(device="cuda:99"))


def test_progress_and_target(positions):
    trainer = FlowTrainer(make_flow(positions), short(targetInterval=20, targetSamples=500))
    trainer.setTarget(peroxide.make_system(), 300 * unit.kelvin)
    reports = []
    trainer.train(positions, blocks=np.arange(500) // 50, progress=reports.append)
    assert [report.step for report in reports][-1] == reports[-1].totalSteps == 60
    assert reports[-1].samples == 64 * 60
    assert 0 < reports[-1].effectiveSampleFraction <= 1
    assert reports[-1].bestValidationNLL <= reports[-1].validationNLL


def test_progress_ends_training(positions, tmp_path):
    seen = []

    def stop(progress):
        seen.append(progress.step)
        return False

    checkpoint = tmp_path / "checkpoint"
    FlowTrainer(make_flow(positions), short()).train(positions, progress=stop, checkpoint=checkpoint)
    assert len(seen) == 1 and seen[0] < 60
    resumed = FlowTrainer(make_flow(positions), short()).train(positions, checkpoint=checkpoint)
    assert resumed.hash == FlowTrainer(make_flow(positions), short()).train(positions).hash


@pytest.mark.parametrize("false", [0, np.False_, ""])
def test_anything_false_but_none_ends_training(positions, false):
    seen = []

    def progress(report):
        seen.append(report.step)
        return false

    FlowTrainer(make_flow(positions), short()).train(positions, progress=progress)
    assert len(seen) == 1


def test_blocks_of_any_integer_type(positions):
    trainer = FlowTrainer(make_flow(positions), short())
    blocks = np.arange(500) // 50
    expected = trainer.train(positions, blocks=blocks).hash
    for other in (blocks.astype(np.uint64), blocks.astype(np.int8), blocks.tolist()):
        assert trainer.train(positions, blocks=other).hash == expected


def test_blocks_to_hold_out(positions):
    trainer = FlowTrainer(make_flow(positions), short())
    blocks = np.arange(500) // 50
    flow = trainer.train(positions, blocks=blocks, heldOutBlocks=[2, 7])
    assert json.loads(flow.metadata["training"])["held_out_blocks"] == [2, 7]
    with pytest.raises(OpenMMException, match="Block 10"):
        trainer.train(positions, blocks=blocks, heldOutBlocks=[10])


def test_exceptions_of_progress_are_raised(positions):
    def fail(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FlowTrainer(make_flow(positions), short()).train(positions, progress=fail)


def test_errors(positions):
    trainer = FlowTrainer(make_flow(positions))
    with pytest.raises(OpenMMException, match="needed"):
        trainer.train(positions[0])
    with pytest.raises(OpenMMException, match=r"\(count, 4, 3\) is needed"):
        trainer.train(np.zeros((2, 5, 3)))
    for weights in ([1.0, 2.0], np.ones((500, 1)), np.ones((1, 500)), 1.0, []):
        with pytest.raises(OpenMMException, match=r"\(500,\) is needed"):
            trainer.train(positions, weights=weights)
    for blocks in (np.arange(500) / 50, ["a"] * 500, np.zeros(500, bool), [None] * 500):
        with pytest.raises(OpenMMException, match="whole numbers"):
            trainer.train(positions, blocks=blocks)
    with pytest.raises(OpenMMException, match=r"\(500,\) is needed"):
        trainer.train(positions, blocks=np.zeros((500, 1), int))
    with pytest.raises(OpenMMException, match="must lie in .* to 9223372036854775807"):
        trainer.train(positions, blocks=np.full(500, 2**63, np.uint64))
    with pytest.raises(OpenMMException, match="whole numbers"):
        trainer.train(positions, heldOutBlocks=[0.5])
    with pytest.raises(OpenMMException, match="no training option batchsize"):
        FlowTrainerOptions().batchsize = 3
    with pytest.raises(OpenMMException, match="no training option batchsize"):
        FlowTrainerOptions(batchsize=3)
    with pytest.raises(OpenMMException, match="batch size"):
        FlowTrainer(make_flow(positions), FlowTrainerOptions(batchSize=0))
    with pytest.raises(OpenMMException, match="particles"):
        system = peroxide.make_system()
        system.addParticle(1.0)
        trainer.setTarget(system, 300)


def test_options_show_themselves():
    options = FlowTrainerOptions(batchSize=7, precision="double")
    assert options.batchSize == 7 and "batchSize=7" in repr(options) and "precision='double'" in repr(options)
