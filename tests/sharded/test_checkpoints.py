"""Checkpoints of sharded states and of runs: whole, readable anywhere, and nothing is lost."""

import json
import os
import signal
from itertools import combinations, count
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from rank_pools import RankError

import quilt_func as qf
from quilt_func import sharded
from quilt_func._collectives import exchanging
from quilt_func.sharded import checkpoints, run_keys, stages
from quilt_func.testing import tolerance

N = 6
MORE = {
    "theta": torch.tensor([0.1, 0.2], dtype=torch.float64),
    "phase": torch.tensor([[1 + 2j], [3j]], dtype=torch.complex64),
    "counts": torch.tensor(7),
    "step": 3,
    "rate": 0.1,
    "name": "a run",
    "tree": {"a": [1, None, True], "b": {"c": "d"}},
}


def far_apart(dtype=torch.float64, shift=0.0, device="cpu"):
    """A circuit of several stages, however few ranks there are."""
    angles = torch.linspace(0.1, 2.0, N, dtype=dtype, device=device) + shift
    pairs = list(combinations(range(N), 2))
    layers = [
        [qf.ry(angles + k, range(N)), qf.rzz(angles[k], pairs), qf.swap(k, 5 - k), qf.cx(k, 3)]
        for k in (0, 1, 2, 4, 5)
    ]
    return qf.circuit(N, layers)


def part(state):
    return state.local, state.layout.order


def whole(parts):
    """The statevector of all ranks' parts, in the wires' own order."""
    order = parts[0][1]
    assert all(each[1] == order for each in parts)
    flat = torch.cat([local for local, _ in parts])
    places = sorted(range(len(order)), key=order.__getitem__)
    return flat.reshape((2,) * len(order)).permute(places).reshape(-1)


def save(folder, dtype=torch.float64, **more):
    state = sharded.run_sharded(far_apart(dtype), mesh=sharded.mesh("cpu"))
    sharded.save_state(state, folder, **more)
    return part(state)


def load(folder):
    state, more = sharded.load_state(folder, sharded.mesh("cpu"))
    return *part(state), more


@pytest.mark.parametrize(
    ("writers", "readers", "dtype"),
    [
        (1, 2, torch.float64),
        (2, 4, torch.float32),
        (4, 1, torch.float64),
    ],
)
def test_states_come_back_on_any_number_of_ranks(pool, tmp_path, writers, readers, dtype):
    before = whole(pool(writers).run(save, tmp_path, dtype))
    after = whole([found[:2] for found in pool(readers).run(load, tmp_path)])
    assert after.dtype == dtype.to_complex()
    assert torch.equal(before, after), "bit for bit"


def save_more(folder):
    return save(folder, **MORE)


def test_what_belongs_to_a_state_comes_back(pool, tmp_path):
    pool(2).run(save_more, tmp_path)
    for *_, more in pool(4).run(load, tmp_path):
        assert set(more) == set(MORE)
        for name, value in MORE.items():
            if isinstance(value, torch.Tensor):
                assert more[name].dtype == value.dtype
                assert torch.equal(more[name], value)
            else:
                assert more[name] == value


def save_and_die(folder, rank, where):
    """Save one state, and be killed within saving another."""
    save(folder, step=1)
    with pytest.MonkeyPatch.context() as patch:
        if dist.get_rank() == rank:
            patch.setattr(where, lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL))
        save(folder, step=2)


WRITES = {
    "data": (1, "torch.distributed.checkpoint.FileSystemWriter.write_data"),
    "facts": (0, "quilt_func.sharded.checkpoints.finish"),
    "rename": (0, "pathlib.Path.rename"),
}


@pytest.mark.parametrize(("rank", "where"), WRITES.values(), ids=WRITES)
def test_a_kill_within_writing_leaves_the_checkpoint_before(pool, tmp_path, rank, where):
    with pytest.raises(RankError, match="died"):
        pool(2).run(save_and_die, tmp_path, rank, where)
    assert [found[2] for found in pool(2).run(load, tmp_path)] == [{"step": 1}] * 2
    pool(2).run(save_step, tmp_path, 3)
    assert pool(1).run(load, tmp_path)[0][2] == {"step": 3}
    assert [entry.name for entry in tmp_path.iterdir()] == ["2"], "nothing else is left"


def save_step(folder, step):
    return save(folder, step=step)


def in_stages(folder, shift=0.0, from_state=False, dies_after=None, dies_sending=False):
    """A run; the number of its stages; and its end, if it is not killed after some of them.

    Or it is killed within the next exchange, of which it has sent nothing yet.
    """
    mesh, saved, trade, dies = sharded.mesh("cpu"), count(1), exchanging.trade, []
    circuit, start = far_apart(shift=shift), None
    if from_state:
        start = sharded.run_sharded(far_apart(shift=1.0), mesh=mesh)

    def counted(*args, **kwargs):
        checkpoints.save_state(*args, **kwargs)
        if next(saved) == dies_after and dist.get_rank() == dist.get_world_size() - 1:
            dies.append(dies_sending or os.kill(os.getpid(), signal.SIGKILL))

    def sending(*args):
        return os.kill(os.getpid(), signal.SIGKILL) if dies else trade(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "save_state", counted)
        patch.setattr(exchanging, "trade", sending)
        state = sharded.run_in_stages(circuit, start, mesh=mesh, directory=folder, seconds=0)
    return *part(state), next(saved) - 1


def at_once(from_state=False):
    circuit = far_apart()
    dense = qf.circuit(N, far_apart(shift=1.0), circuit) if from_state else circuit
    return dense()


def ends(answers):
    return whole([found[:2] for found in answers]), answers[0][2]


@pytest.mark.parametrize("from_state", [False, True])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_run_in_stages_is_the_run(pool, tmp_path, n, from_state):
    found, n_stages = ends(pool(n).run(in_stages, tmp_path, 0.0, from_state))
    assert torch.allclose(found, at_once(from_state), atol=tolerance(found.dtype, 50))
    assert n_stages == 1 if n == 1 else n_stages > 4
    again, n_more = ends(pool(n).run(in_stages, tmp_path, 0.0, from_state))
    assert torch.equal(again, found), "what was saved"
    assert n_more == 0


@pytest.mark.parametrize(
    ("stage", "from_state", "is_sending"), [(1, False, False), (3, True, False), (2, False, True)]
)
def test_a_killed_run_goes_on_with_nothing_lost(pool, tmp_path, stage, from_state, is_sending):
    expected, n_stages = ends(pool(2).run(in_stages, tmp_path / "whole", 0.0, from_state))
    with pytest.raises(RankError, match="died"):
        pool(2).run(in_stages, tmp_path / "cut", 0.0, from_state, stage, is_sending)
    found, n_more = ends(pool(2).run(in_stages, tmp_path / "cut", 0.0, from_state))
    assert torch.equal(found, expected), "bit for bit"
    assert n_more == n_stages - stage


@pytest.mark.parametrize("n", [4])
def test_a_killed_run_goes_on_on_other_ranks(pool, tmp_path, n):
    with pytest.raises(RankError, match="died"):
        pool(2).run(in_stages, tmp_path, 0.0, False, 2)
    found, _ = ends(pool(n).run(in_stages, tmp_path))
    assert torch.allclose(found, at_once(), atol=tolerance(found.dtype, 50))


def without_a_stage(folder):
    """A plant: a resumed run that forgets a stage."""
    true = stages._left
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "_left", lambda *args: _shorter(true(*args)))
        return in_stages(folder)


def _shorter(plan):
    return plan._replace(stages=plan.stages[:-1])


def test_a_resumed_run_that_forgets_a_stage_is_noticed(pool, tmp_path):
    with pytest.raises(RankError, match="died"):
        pool(2).run(in_stages, tmp_path, 0.0, False, 2)
    found, _ = ends(pool(2).run(without_a_stage, tmp_path))
    assert not torch.allclose(found, at_once(), atol=tolerance(found.dtype, 50))


def error_of(fn, *args):
    """The text of a ValueError: raised, it would end the ranks."""
    try:
        fn(*args)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("change", [{"shift": 1e-15}, {"from_state": True}])
def test_checkpoints_of_another_run_are_refused(pool, tmp_path, change):
    pool(2).run(in_stages, tmp_path)
    other = {"shift": 0.0, "from_state": False} | change
    for found in pool(2).run(error_of, in_stages, tmp_path, *other.values()):
        assert "run_in_stages(directory=" in found
        assert "`directory` must hold checkpoints of this circuit, with these parameters" in found


def fingerprints():
    mesh = sharded.mesh("cpu")
    states = [
        sharded.run_sharded(qf.circuit(4, [qf.x(w) for w in wires], qf.cx(0, 3)), mesh=mesh)
        for wires in ([], [0], [3], [1, 2])
    ]
    return [run_keys.fingerprint(state) for state in states], [s.layout.order for s in states]


def test_a_states_fingerprint_depends_on_the_places_of_its_amplitudes(pool):
    found = pool(2).run(fingerprints)
    assert found[0] == found[1], "the same on all ranks"
    assert len(set(found[0][0])) == 4


def refused(folder, case):
    mesh = sharded.mesh("cpu")
    state = sharded.run_sharded(qf.circuit(2, qf.h(0)), mesh=mesh)
    theta = torch.tensor(0.1)
    slope = lambda t: sharded.run_in_stages(  # noqa: E731
        qf.circuit(2, qf.rx(t, 0)), mesh=mesh, directory=folder
    ).local.real.sum()
    calls = {
        "none": lambda: sharded.load_state(folder, mesh),
        "kind": lambda: sharded.save_state(state, folder, step=(1, 2)),
        "path": lambda: sharded.save_state(state, 3),
        "state": lambda: sharded.save_state(state.local, folder),
        "mesh": lambda: sharded.load_state(folder, "cpu"),
        "grad": lambda: torch.func.grad(slope)(theta),
        "leaf": lambda: slope(theta.clone().requires_grad_()),
        "file": lambda: sharded.save_state(state, Path(folder) / "a file"),
        "seconds": lambda: sharded.run_in_stages(
            qf.circuit(2, qf.h(0)), mesh=mesh, directory=folder, seconds=-1
        ),
    }
    try:
        calls[case]()
    except (TypeError, ValueError, OSError) as error:
        return type(error), str(error)


REFUSALS = {
    "none": (FileNotFoundError, "there is no whole checkpoint in it. Save one by `save_state("),
    "kind": (TypeError, "save_state(step=(1, 2)): `step` must be a tensor that can be read, or "),
    "path": (TypeError, "save_state(directory=3): `directory` must be the name of a directory, "),
    "state": (TypeError, "`state` must be a sharded state, but got a Tensor. "),
    "mesh": (TypeError, "load_state(mesh='cpu'): `mesh` must be a `DeviceMesh`, but got a str. "),
    "grad": (TypeError, "Use `run_sharded`, or `detach` the parameters."),
    "leaf": (TypeError, "`circuit` must have no gradient and be no transform's, but got Tensor("),
    "file": (OSError, "a file"),
    "seconds": (ValueError, "`seconds` must be finite and in [0, inf), but got -1. "),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_every_rank_refuses_alike(pool, tmp_path, case):
    (tmp_path / "a file").write_text("")
    kind, text = REFUSALS[case]
    for found in pool(2).run(refused, tmp_path, case):
        assert issubclass(found[0], kind)
        assert text in found[1]


def test_foreign_files_and_too_many_ranks_are_refused(pool, tmp_path):
    pool(1).run(save_small, tmp_path)
    for found in pool(4).run(error_of, load, tmp_path):
        assert "be of fewer than 4 ranks for 2 qubits, but got 4. Start fewer processes." in found
    facts = tmp_path / "1" / "state.json"
    newer = json.loads(facts.read_text("utf8")) | {"version": 99}
    for text in (json.dumps(newer), '{"format": "of others"}', None):
        facts.write_text(text, "utf8") if text else facts.unlink()
        (found,) = pool(1).run(error_of, load, tmp_path)
        assert "`directory` must hold checkpoints of `save_state`" in found


def save_small(folder):
    state = sharded.run_sharded(qf.circuit(2, qf.h(0)), mesh=sharded.mesh("cpu"))
    sharded.save_state(state, folder)


def on_gpus(folder):
    mesh = sharded.mesh("cuda")
    circuit = far_apart(device="cuda")
    state = sharded.run_in_stages(circuit, mesh=mesh, directory=folder, seconds=0)
    again, _ = sharded.load_state(folder, mesh)
    return again.local.device.type, torch.equal(state.local, again.local)


@pytest.mark.cuda
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_checkpoints_of_gpus(tmp_path):
    assert sharded.spawn(2, on_gpus, tmp_path, start="forkserver") == [("cuda", True)] * 2
