"""What laws run on each rank, and as it stands on one process: the same functions of a world.

A world says how circuits are run and states measured: `Whole` on one process, `Split` on ranks.
Arguments and results are ordinary tensors.
"""

import ctypes
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from unittest.mock import patch

import torch
from oracles.compare import assert_close
from torch import Tensor
from torch.func import grad, grad_and_value, jvp, vmap

import quilt_func as qf
from quilt_func import sharded
from quilt_func._collectives import exchanging, messages, rules
from quilt_func._torch import primitive, public_functions, tree_flatten, tree_map, tree_unflatten
from quilt_func.evolution import entry, reversible_run


@cache
def mesh():
    """All ranks of the pool."""
    return sharded.mesh("cpu")


class Whole:
    """One process."""

    state = staticmethod(lambda state, order: state)
    run = staticmethod(lambda circuit, state: circuit(state))
    whole = staticmethod(lambda state: state)
    room = qf
    norm = staticmethod(torch.linalg.vector_norm)

    @staticmethod
    def mean_cost(state, cost, *params):
        n = state.shape[0].bit_length() - 1
        return (qf.probs(state) * cost(qf.to_bits(torch.arange(2**n), n), *params)).sum()


class Split:
    """Ranks."""

    state = staticmethod(lambda state, order: sharded.shard(state, mesh(), order=order))
    whole = staticmethod(sharded.gather)
    room, norm, mean_cost = sharded, sharded.norm, sharded.mean_cost

    @staticmethod
    def run(circuit, state):
        return sharded.run_sharded(circuit, state, mesh=None if state else mesh())


class WholeNoise:
    """Density matrices and trajectories on one process."""

    @staticmethod
    def trajectory(circuit, u, observable):
        run = qf.run_trajectory(circuit, u)
        return run.weight * qf.expval(run.state, observable)

    @staticmethod
    def density(circuit, observable, wires):
        rho = qf.run_density(circuit)
        return torch.cat([qf.expval(rho, observable)[None], qf.marginal(rho, wires)])


class SplitNoise:
    """The same on ranks."""

    @staticmethod
    def trajectory(circuit, u, observable):
        sample = qf.noise.sampled_circuit(circuit, u)
        state = sharded.run_sharded(sample.circuit, mesh=mesh())
        return sample.weight * sharded.expval(state, observable)

    @staticmethod
    def density(circuit, observable, wires):
        rho = sharded.run_sharded_density(circuit, mesh=mesh())
        value = sharded.density_expval(rho, observable)
        return torch.cat([value[None], sharded.density_marginal(rho, wires)])


class Gpus:
    """Ranks with a GPU each; arguments and results are on CPUs."""

    @staticmethod
    def run(circuit, state):
        own = tree_map(lambda p: p.cuda() if isinstance(p, Tensor) else p, circuit)
        return sharded.run_sharded(own, state, mesh=sharded.mesh("cuda"))

    @staticmethod
    def state(state, order):
        return sharded.shard(state.cuda(), sharded.mesh("cuda"), order=order)

    @staticmethod
    def whole(state):
        return sharded.gather(state).cpu()

    room = sharded


WORLDS = {"whole": Whole, "split": Split, "gpus": Gpus}
NOISY = {"whole": WholeNoise, "split": SplitNoise}


def noisy_derivatives(world, name, kinds, circuit, *arguments):
    """What is measured on a noisy circuit, and its derivatives by the circuit's leaves."""
    leaves, tree = tree_flatten(circuit)
    function = getattr(NOISY[world], name)

    def measured(*leaves):
        return function(tree_unflatten(leaves, tree), *arguments)

    def f(*leaves):
        found = measured(*leaves)
        return (found * numbers_like(found, 9)).sum()

    return {"result": measured(*leaves)} | derivatives(f, leaves, kinds)


def numbers_like(x, seed):
    """Fixed numbers between -1 and 1, complex ones if those of `x` are."""
    real = x.dtype.to_real() if x.is_complex() else x.dtype
    places = torch.arange(1, 2 * x.numel() + 1, dtype=real) * (seed + 1)
    re, im = places.cos().reshape(2, *x.shape).unbind(0)
    return torch.complex(re, im) if x.is_complex() else re


def derivatives(f, leaves, kinds):
    """A function's value and some of its derivatives, at some leaves and along fixed tangents."""
    leaves = tuple(x.clone(memory_format=torch.contiguous_format) for x in leaves)  # none expanded
    along = tuple(numbers_like(x, seed) for seed, x in enumerate(leaves))
    slope = grad(f, tuple(range(len(leaves))))
    others = (1j * x if x.is_complex() else x + y for x, y in zip(leaves, along, strict=True))
    batch = tuple(torch.stack(pair, -1) for pair in zip(leaves, others, strict=True))  # unitary
    of_kind = {
        "grad": lambda: slope(*leaves),
        "jvp": lambda: jvp(f, leaves, along)[1],
        "jvp(grad)": lambda: jvp(slope, leaves, along)[1],
        "grad(jvp)": lambda: grad(lambda *x: jvp(f, x, along)[1], 0)(*leaves),
        "vmap": lambda: vmap(f, -1)(*batch),
        "vmap(grad)": lambda: vmap(slope, -1)(*batch),
        "backward": lambda: backward(f, leaves),
    }
    found = {"value": f(*leaves)} | {kind: of_kind[kind]() for kind in kinds if leaves}
    return tree_map(lambda x: x + torch.zeros(x.shape, dtype=x.dtype), found)  # in memory


KINDS = ("grad", "jvp", "jvp(grad)", "grad(jvp)", "vmap", "vmap(grad)", "backward")


def backward(f, leaves):
    """Gradients by autograd itself."""
    own = [x.clone().requires_grad_() for x in leaves]
    f(*own).backward()
    return tuple(torch.zeros_like(x) if x.grad is None else x.grad for x in own)


@contextmanager
def by_route(route):
    """Runs in ordinary torch calls, by the rules, or by these with no state kept on the way.

    "public": the last, by `autograd.Function` as torch documents it.
    """
    kept = reversible_run.KEPT if route == "fused" else 0
    functions = public_functions.apply if route == "public" else primitive.route
    with (
        patch.object(entry, "WHOLE", 99 if route == "plain" else 0),
        patch.object(reversible_run, "KEPT", kept),
        patch.object(primitive, "route", functions),
    ):
        yield


ROUTES = ("plain", "fused", "walking back", "public")


def run_derivatives(world, circuit, start, order, bra, kinds=KINDS, route="walking back"):
    """As `of_runs`, by a route."""
    with by_route(route):
        return of_runs(world, circuit, start, order, bra, kinds)


def of_runs(world, circuit, start, order, bra, kinds):
    """The state after a circuit, and all derivatives of Re⟨bra|ψ⟩ by its leaves and the start."""
    world = WORLDS[world]
    leaves, tree = tree_flatten(circuit)

    def after(leaves):
        return world.run(tree_unflatten(leaves[: len(leaves) - n_starts], tree), begun(leaves))

    def begun(leaves):
        return world.state(leaves[-1], order) if n_starts else None

    def f(*leaves):
        product = world.room.overlap(world.state(bra, None), after(leaves))
        return (product.real + product.imag).cpu()

    n_starts = int(start is not None)
    given = [*leaves, *([start] if n_starts else [])]
    return {"state": world.whole(after(given))} | derivatives(f, given, kinds)


def measured_derivatives(world, state, order, kinds, name, *arguments):
    """A measurement, weighed to one number, and its derivatives by the state and tensor leaves."""
    world = WORLDS[world]
    leaves, tree = tree_flatten(arguments)
    tensors = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]

    def measured(state, *own):
        given = list(leaves)
        for i, leaf in zip(tensors, own, strict=True):
            given[i] = leaf
        function = getattr(world, name, None) or getattr(world.room, name)
        return function(world.state(state, order), *tree_unflatten(given, tree))

    def f(*given):
        found = measured(*given)
        total = (found * numbers_like(found, 9)).sum()
        return total.real + total.imag if total.is_complex() else total

    given = (state, *(leaves[i] for i in tensors))
    return {"result": measured(*given)} | derivatives(f, given, kinds)


@contextmanager
def counting():
    """Lists the number of pieces and of partners of each exchange of messages."""
    seen, trade = [], messages.trade

    def counted(ranks, partners, pieces):
        seen.append((len(partners), len(pieces)))
        trade(ranks, partners, pieces)

    with patch.object(exchanging, "trade", counted), patch.object(rules, "trade", counted):
        yield seen


def n_messages(route, circuit, start=None, order=None):
    """Messages of a run, and of its gradient by all leaves."""
    state = None if start is None else sharded.shard(start, mesh(), order=order)
    with by_route(route), counting() as seen:
        sharded.run_sharded(circuit, state, mesh=None if state else mesh())
    leaves, tree = tree_flatten(circuit)

    def f(leaves):
        after = sharded.run_sharded(tree_unflatten(leaves, tree), state, mesh=mesh())
        return sharded.marginal(after, [0])[0]

    with by_route(route), counting() as by_gradient:
        grad(f)(leaves)
    return len(seen), len(by_gradient)


@contextmanager
def messages_of(kind, size=2**23):
    """Sends by one call for all partners or by pairs, in pieces of a size."""
    one_call = ("gloo",) if kind == "one call" else ()
    with patch.object(messages, "ONE_CALL", one_call), patch.object(exchanging, "MESSAGE", size):
        yield


def run_with(kind, size, *arguments):
    """`run_derivatives` with messages of another kind, and the largest number of pieces."""
    with messages_of(kind, size), counting() as seen:
        found = run_derivatives("split", *arguments)
    return found, max(pieces for _, pieces in seen)


def states_after(circuits, orders):
    """States after circuits of a few wires, from random states in several layouts."""
    found = []
    for circuit in circuits:
        start = qf.random_state(qf.uniforms((2, 2**circuit.n_qubits), 3, dtype=torch.float64))
        for order in orders:
            state = sharded.shard(start, mesh(), order=order)
            found.append(sharded.gather(sharded.run_sharded(circuit, state)))
    return found


def reordered_parts(state, orders):
    """A state that goes from layout to layout, gathered from each."""
    one, found = sharded.shard(state, mesh(), order=orders[-1]), []
    for order in orders:
        one = sharded.reordered(one, order)
        assert one.layout.order == order
        found.append(sharded.gather(one))
    return found


def bits_of_samples(state, order, *numbers):
    """Samples of a state in a layout, by several tensors of uniform numbers."""
    one = sharded.shard(state, mesh(), order=order)
    return [sharded.sample(one, u) for u in numbers]


def n_messages_of_measuring(state, words):
    """Exchanges, and messages to partners, of a sum of words."""
    one = sharded.shard(state, mesh())
    with counting() as seen:
        sharded.expval(one, dict.fromkeys(words, 1.0))
    return len(seen)


def jitted(x):
    """A sharded run that is jitted."""
    place = mesh()

    def f(x):
        return sharded.expval(
            sharded.run_sharded(qf.circuit(2, qf.rx(x, 0)), mesh=place), {"ZI": 1}
        )

    return qf.jit(f)(x)


def random_state(n, seed, dtype=torch.float64):
    return qf.random_state(qf.uniforms((2, 2**n), seed, dtype=dtype))


def check_alike(answers, expected, n_gates, scale=4.0):
    """Every rank has the results of one process."""
    for rank, answer in enumerate(answers):
        assert list(answer) == list(expected)
        for name, right in expected.items():
            got = answer[name]
            pairs = [(got, right)] if torch.is_tensor(right) else zip(got, right, strict=True)
            for one, other in pairs:
                assert one.dtype == other.dtype, name
                size = max(1.0, float(other.abs().max())) if other.numel() else 1.0
                bounds = {"n_gates": 64 * (1 + n_gates), "scale": scale * size}
                assert_close(one, other, **bounds, what=f"{name} on rank {rank}")


def check_run(answers, run):
    check_alike(answers, run_derivatives("whole", *run), run[0].n_gates)


def layers(n, dtype=torch.float64, seed=0):
    """A circuit whose gates reach all wires, far apart ones too."""
    p = 4 * qf.uniforms((3, n), seed, dtype=dtype) - 2
    pairs = [(i, (i + n // 2) % n) for i in range(n // 2)]
    return qf.circuit(
        n,
        qf.ry(p[0], range(n)),
        [qf.cx(i, (i + 1) % n) for i in range(n)],
        qf.rxx(p[1, : len(pairs)], pairs),
        qf.rz(p[1], range(n)),
        qf.crx(p[2, 0], 0, n - 1),
        qf.rx(p[2], range(n)),
    )


def example(n=6, dtype=torch.float64):
    circuit, order = layers(n, dtype), (3, 0, 5, 1, *range(6, n), 4, 2)
    return circuit, random_state(n, 1, dtype), order, random_state(n, 2, dtype)


def resident(name):
    """Bytes of memory of this process: now, `VmRSS`, or at most, `VmHWM`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))


def peak(world, n, words):
    """Bytes that a gradient of a few layers adds at its most, with an allocator that keeps none."""
    world, mmap_threshold = WORLDS[world], -3
    ctypes.CDLL(None).mallopt(mmap_threshold, 2**16)

    def value(p):
        parts = [[qf.ry(row, range(n)), [qf.cx(i, (i + 1) % n) for i in range(n)]] for row in p]
        return world.room.expval(world.run(qf.circuit(n, parts), None), words)

    step, p = grad_and_value(value), torch.linspace(-2, 2, 2 * n).reshape(2, n)
    step(p)
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    step(p)
    return resident("VmHWM") - before


def of_lazy_numbers():
    """What ranks send of tensors that are lazily conjugated, negated or zero."""
    ranks = sharded.ranks_of(mesh())
    numbers = torch.complex(torch.arange(4.0), torch.ones(4))
    zero = torch._efficientzerotensor(4, dtype=torch.complex64)
    exchange = exchanging.Exchange(ranks, (0,))
    lazy = numbers.conj(), numbers.conj().imag, zero
    found = [rules.summed(ranks, x) for x in lazy] + [rules.of_partner(ranks, 1, x) for x in lazy]
    exchanged = [rules.exchanged(exchange, (0, 1), x) for x in (numbers.conj(), zero)]
    return [numbers, *found, *exchanged]
