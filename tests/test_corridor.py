"""The house's plan, read from the source: who imports whom, and what no room may do.

Data goes through the corridor once, left to right: a module imports only from modules before its
own. Side rooms import from the corridor and not from one another; the corridor never imports them.
"""

import ast
import inspect
import sys
from pathlib import Path

import pytest

import quilt_func as qf

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "quilt_func"
# fmt: off
CORRIDOR = [
    "_spellings", "_dynamo", "_tree", "_primitive", "_checks", "typing", "_sweep", "states", "ops",
    "_gate_checks", "derived", "gates",
    "kernel", "_recipes", "_moves", "_phases", "_partition", "planning", "fusion", "_axes",
    "_static", "_run", "_directions", "_jets", "_tangents", "evolution", "_text", "circuits",
    "_words", "_energies", "pauli", "_model_checks", "observables", "costs", "measure", "_params",
    "_shifts", "derivatives", "geometry", "optim", "natural",
]
SIDE_ROOMS = [
    "ansatz", "bitstrings", "channels", "density", "diagnostics", "distributed", "draw",
    "molecules", "nn", "passes", "problems", "qasm", "saving", "testing", "trajectories",
]
# fmt: on
PART_OF = {
    f"_qasm_{part}": "qasm"
    for part in (
        "tokens",
        "expressions",
        "parse",
        "values",
        "gates",
        "powers",
        "calls",
        "read",
        "write",
    )
}
PART_OF["_draw_circuit"] = "draw"
"""Files that share a side room."""
ALLOWED = {"torch", "numpy", "quilt_func"} | set(sys.stdlib_module_names)
MORE_ALLOWED = {"testing": {"hypothesis"}, "draw": {"matplotlib"}}
"""Packages of an extra that a side room may import."""

SOURCES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text("utf8")) for name, path in SOURCES.items()}
ROOMS = [name for name in TREES if name != "__init__"]
each_module = pytest.mark.parametrize("name", ROOMS)


def room_of(name):
    """The room of a module; a sub-package is one room."""
    first = name.split(".")[0]
    return PART_OF.get(first, first)


def imports(tree):
    """Full names of all that a module imports, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(tree):
    """Rooms of this package that a module imports."""
    for name in imports(tree):
        parts = name.split(".")
        if parts[0] == "quilt_func" and len(parts) > 1:
            yield room_of(parts[1])


def dotted(node):
    """`a.b.c` of an attribute chain; empty if it does not start with a name."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def names_used(tree):
    """Imported and dotted names, and attributes as `.name`."""
    yield from imports(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield f".{node.attr}"
            yield dotted(node)
        elif isinstance(node, ast.Name):
            yield node.id


@each_module
def test_every_module_has_its_place(name):
    assert room_of(name) in [*CORRIDOR, *SIDE_ROOMS], f"place {name} in CORRIDOR or SIDE_ROOMS"


@each_module
def test_imports_go_left_to_right(name):
    room = room_of(name)
    place = CORRIDOR.index(room) if room in CORRIDOR else None
    allowed = {room, *CORRIDOR} if place is None else set(CORRIDOR[:place])
    if room == "testing":  # it uses the library as a user does, and knows its rooms
        allowed |= set(qf.__all__)
    found = set(own_imports(TREES[name]))
    assert found <= allowed, f"{name} must not import {sorted(found - allowed)}"


@each_module
def test_only_torch_numpy_and_the_standard_library(name):
    allowed = ALLOWED | MORE_ALLOWED.get(room_of(name), set())
    found = {full.split(".")[0] for full in imports(TREES[name])}
    assert found <= allowed, f"{name} must not import {sorted(found - allowed)}"


def without_function(tree, name):
    """The module's nodes outside of a top-level function."""
    body = [node for node in tree.body if getattr(node, "name", None) != name]
    return ast.Module(body=body, type_ignores=[])


# fmt: off
DRAWS = {
    "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "normal",
    "bernoulli", "multinomial", "poisson", "uniform_", "normal_", "random_", "bernoulli_",
    "exponential_", "cauchy_", "log_normal_", "geometric_", "dropout", "rrelu", "Generator",
    "manual_seed", "default_rng", "default_generator", "set_rng_state",
}
GLOBAL_STATE = {
    "set_default_dtype", "get_default_dtype", "set_default_device", "set_default_tensor_type",
    "set_num_threads", "use_deterministic_algorithms", "set_grad_enabled",
    "set_float32_matmul_precision", "environ", "getenv",
}
READS_VALUES = {"item", "allclose", "equal", "is_nonzero"}
# fmt: on


@each_module
def test_random_numbers_are_drawn_in_uniforms_only(name):
    tree = without_function(TREES[name], "uniforms") if name == "states" else TREES[name]
    used = {node.attr: dotted(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    modules = {full.split(".")[0] for full in imports(tree)}
    assert not set(used) & DRAWS, [used[draw] for draw in set(used) & DRAWS]
    assert not modules & {"random", "secrets"}
    assert not [full for full in names_used(tree) if full.startswith(("np.random", "numpy.random"))]


@each_module
def test_no_global_state(name):
    used = {full.removeprefix(".").split(".")[-1] for full in names_used(TREES[name])}
    assert not used & GLOBAL_STATE


@pytest.mark.parametrize("name", [name for name in ROOMS if room_of(name) != "testing"])
def test_no_values_are_read(name):
    """Except by laws, whose business it is."""
    used = {full for full in names_used(TREES[name]) if full.startswith(".")}
    assert not used & {f".{reader}" for reader in READS_VALUES}


PRIVATE = {"_dynamo", "_tree", "_primitive"}


@pytest.mark.parametrize("name", [name for name in ROOMS if name not in PRIVATE])
def test_torchs_private_names_are_in_three_rooms(name):
    torchs = {full.split(".")[-1] for full in imports(TREES[name]) if full.startswith("torch")}
    chains = [
        full
        for full in names_used(TREES[name])
        if full.split(".")[0] in {"torch", *torchs} and not full.startswith(".")
    ]
    private = [c for c in chains if any(p.startswith("_") and p[1:2] != "_" for p in c.split("."))]
    assert not private


@pytest.mark.parametrize("name", [name for name in ROOMS if name not in {"evolution", "_energies"}])
def test_primitives_live_in_two_rooms(name):
    bases = {
        (dotted(base) or getattr(base, "id", "")).split(".")[-1]
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    }
    assert not bases & {"Function", "Primitive"} or name == "_primitive"


def public_functions(tree):
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]


def test_no_public_function_shares_its_modules_name():
    """`import quilt_func.x as m` must give the module; strategies have names of their own."""
    house = {name: tree for name, tree in TREES.items() if room_of(name) != "testing"}
    functions = {name for tree in house.values() for name in public_functions(tree)}
    assert not functions & {part for name in TREES for part in name.split(".")}


def test_the_package_lists_what_it_offers():
    assert len(set(qf.__all__)) == len(qf.__all__)
    public = {name for name in vars(qf) if not name.startswith("_")} - set(SOURCES) - {"testing"}
    assert public <= set(qf.__all__), "a public name is missing in __all__"


def documented():
    """All public functions: of the package, and of the rooms that it offers."""
    found = {}
    for name in qf.__all__:
        value = getattr(qf, name)
        if inspect.isfunction(value):
            found[name] = value
        elif inspect.ismodule(value):
            source = value.__name__.removeprefix("quilt_func.")
            offered = getattr(value, "__all__", None) or public_functions(
                TREES.get(source, ast.Module([], []))
            )
            members = {member: getattr(value, member) for member in offered}
            found |= {f"{name}.{m}": f for m, f in members.items() if inspect.isfunction(f)}
    return {name: f for name, f in found.items() if f.__module__.startswith("quilt_func")}


SECTIONS = ["Args:", "Returns:", "Raises:", "Transforms:", "Examples:"]


@pytest.mark.parametrize("function", documented().values(), ids=documented())
def test_every_public_function_is_documented(function):
    text = inspect.getdoc(function) or ""
    lines = text.splitlines()
    assert lines[0].rstrip().endswith("."), "the first line is a sentence"
    waived = {"Transforms:"} if "testing" in function.__module__ else set()
    waived |= set() if inspect.signature(function).parameters else {"Args:"}
    needed = [section for section in SECTIONS if section not in waived]
    missing = [section for section in needed if section not in lines]
    assert not missing, f"{function.__qualname__} lacks {missing}"
    assert [line for line in lines if line in SECTIONS] == needed, "sections are in house order"
    assert ">>> " in text


def literal_tolerances(tree):
    """Keywords such as `atol=1e-6`, and comparisons with a tiny number."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in {"atol", "rtol", "abs", "rel"}:
            yield from [node.value] if getattr(node.value, "value", 0) != 0 else []
        elif isinstance(node, ast.Compare):
            for order, side in zip(node.ops, node.comparators, strict=True):
                value = getattr(side, "value", None)
                is_bound = isinstance(order, ast.Lt | ast.LtE) and isinstance(value, float)
                yield from [side] if is_bound and 0 < value < 0.01 else []


def test_tests_hold_no_literal_tolerances():
    """Bounds come from `quilt_func.testing.tolerances`."""
    found = [
        f"{path.name}:{node.lineno}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in literal_tolerances(ast.parse(path.read_text("utf8")))
    ]
    assert found == []
