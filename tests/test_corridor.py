"""The house's plan, read from the source: who imports whom, and what no room may do.

A room is a file at the top of the package, or a folder, which is entered by its door only. Imports
go down the layers, or along one; rooms of a layer that is apart know nothing of each other.
"""

import ast
import inspect
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import quilt_func as qf

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "quilt_func"
# fmt: off
LAYERS = [
    {"_torch"},
    {
        "typing", "_checks", "_op_arguments", "_spellings", "_parameter_trees", "_amplitudes",
        "_gate_help", "_collectives",
    },
    {"densities", "states", "ops", "derived", "custom_gates", "gates", "chosen_gates"},
    {"evolution", "pauli"},
    {
        "circuits", "observables", "diagonals", "measurement", "_density_measurement",
        "_text_drawing", "_model_checks", "_placed_gates", "_sampling", "random_structures",
    },
    {
        "derivatives", "fisher", "optim", "natural_descent", "replay", "_shift_rules",
        "_shifted_runs", "_affine_angles",
    },
    {"instruments", "noise", "shots", "sharded"},
    {
        "ansatz", "bitstrings", "chemistry", "convert", "diagnostics", "draw", "explaining",
        "molecules", "nn", "parameter_files", "problems", "qasm", "saving", "testing",
    },
    {"learn", "pennylane_device"},
]
# fmt: on
APART = (3, 7)
"""Layers whose rooms do not import one another."""
FLOORS = 11
"""Rooms of the longest chain of imports, at most."""
FUNCTIONS = {"_torch", "rules"}
"""Where Functions may be defined: the room of their base, and files of that name."""
ALLOWED = {"torch", "numpy", "quilt_func"} | set(sys.stdlib_module_names)
MORE_ALLOWED = {"testing": {"hypothesis"}, "draw": {"matplotlib"}, "learn": {"sklearn"}}
"""Packages of an extra that a side room may import."""

SOURCES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text("utf8")) for name, path in SOURCES.items()}
ROOMS = [name for name in TREES if name != "__init__"]
each_module = pytest.mark.parametrize("name", ROOMS)


def room_of(name):
    """The room of a module; a folder is one room."""
    return name.split(".")[0]


def imports(tree):
    """Full names of all that a module imports, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(tree):
    """Names of this package that a module imports."""
    for name in imports(tree):
        if name.startswith("quilt_func."):
            yield name.removeprefix("quilt_func.")


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


LAYER = {room: number for number, rooms in enumerate(LAYERS) for room in sorted(rooms)}
GRAPH = {
    room: {
        other
        for name in ROOMS
        if room_of(name) == room
        for other in map(room_of, own_imports(TREES[name]))
        if other in LAYER and other != room
    }
    for room in LAYER
}


def test_every_room_has_its_layer():
    assert {room_of(name) for name in ROOMS} == set(LAYER), "place it in LAYERS"


def test_the_page_lists_the_layers():
    text = (ROOT / "docs" / "extending.md").read_text("utf8")
    listed = {
        int(layer): set(re.findall(r"`(\w+)/?`", rooms))
        for layer, rooms in re.findall(r"^\| (\d) \| ([^|]*) \|", text, re.MULTILINE)
    }
    assert listed == dict(enumerate(LAYERS))


@pytest.mark.parametrize("room", LAYER)
def test_imports_go_down(room):
    above = {other for other in GRAPH[room] if LAYER[other] > LAYER[room]}
    beside = {other for other in GRAPH[room] if LAYER[other] == LAYER[room]}
    # laws use the library as a user does, and know its rooms
    is_apart = LAYER[room] in APART and room != "testing"
    assert not above | (beside if is_apart else set())


def test_there_is_no_circle_and_few_floors():
    floors = {}
    for room in TopologicalSorter(GRAPH).static_order():
        floors[room] = 1 + max((floors[other] for other in GRAPH[room]), default=0)
    assert max(floors.values()) <= FLOORS, floors


@each_module
def test_rooms_are_entered_by_their_doors(name):
    deep = [
        full
        for full in own_imports(TREES[name])
        if room_of(full) != room_of(name)
        and f"{room_of(full)}.__init__" in SOURCES
        and ".".join(full.split(".")[:2]) in SOURCES
    ]
    assert deep == []


@pytest.mark.parametrize("name", [name for name in SOURCES if name.endswith(".__init__")])
def test_doors_define_nothing(name):
    defining = ast.FunctionDef | ast.ClassDef
    assert not [node for node in TREES[name].body if isinstance(node, defining)]


@each_module
def test_only_torch_numpy_and_the_standard_library(name):
    allowed = ALLOWED | MORE_ALLOWED.get(room_of(name), set())
    found = {full.split(".")[0] for full in imports(TREES[name])}
    assert found <= allowed, f"{name} must not import {sorted(found - allowed)}"


def without_function(tree, name):
    """The module's nodes outside of a top-level function."""
    body = [node for node in tree.body if getattr(node, "name", None) != name]
    return ast.Module(body=body, type_ignores=[])


DRAWING = {"states": "uniforms", "learn.options": "seed_of"}
"""Functions that may draw: all numbers, and a seed for them from scikit-learn's `RandomState`."""
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
    if name == "pennylane_device.seeds":
        return  # PennyLane's seeds are numpy's
    tree = without_function(TREES[name], DRAWING.get(name))
    used = {node.attr: dotted(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    modules = {full.split(".")[0] for full in imports(tree)}
    assert not set(used) & DRAWS, [used[draw] for draw in set(used) & DRAWS]
    assert not modules & {"random", "secrets"}
    assert not [full for full in names_used(tree) if full.startswith(("np.random", "numpy.random"))]


@each_module
def test_no_global_state(name):
    """But a trace is for one default dtype, and a rank is told what it is by its launcher."""
    used = {full.removeprefix(".").split(".")[-1] for full in names_used(TREES[name])}
    known = {
        "_torch.graphs": {"get_default_dtype"},
        "sharded.processes": {"environ"},
        "sharded.serving": {"set_num_threads"},
    }
    assert not used & GLOBAL_STATE - known.get(name, set())


@pytest.mark.parametrize("name", [name for name in ROOMS if room_of(name) != "testing"])
def test_no_values_are_read(name):
    """Except by laws, whose business it is."""
    used = {full for full in names_used(TREES[name]) if full.startswith(".")}
    assert not used & {f".{reader}" for reader in READS_VALUES}


@pytest.mark.parametrize("name", [name for name in ROOMS if room_of(name) != "_torch"])
def test_torchs_private_names_are_in_one_room(name):
    torchs = {full.split(".")[-1] for full in imports(TREES[name]) if full.startswith("torch")}
    chains = [
        full
        for full in names_used(TREES[name])
        if full.split(".")[0] in {"torch", *torchs} and not full.startswith(".")
    ]
    private = [c for c in chains if any(p.startswith("_") and p[1:2] != "_" for p in c.split("."))]
    assert not private


@each_module
def test_functions_are_defined_in_files_of_rules(name):
    bases = {
        (dotted(base) or getattr(base, "id", "")).split(".")[-1]
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    }
    is_allowed = room_of(name) in FUNCTIONS or name.split(".")[-1] in FUNCTIONS
    assert is_allowed or not bases & {"Function", "Primitive"}


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
    public = {name for name in vars(qf) if not name.startswith("_")} - set(LAYER)
    assert public <= set(qf.__all__), "a public name is missing in __all__"


def documented():
    """All public functions: of the package, and of the rooms that it offers."""
    offers = {name: getattr(qf, name) for name in qf.__all__}
    found = {name: value for name, value in offers.items() if inspect.isfunction(value)}
    own = set(found.values())
    for name, value in offers.items():
        if inspect.ismodule(value):
            source = value.__name__.removeprefix("quilt_func.")
            offered = getattr(value, "__all__", None) or public_functions(
                TREES.get(source, ast.Module([], []))
            )
            members = {member: getattr(value, member) for member in offered}
            functions = {m: f for m, f in members.items() if inspect.isfunction(f)}
            found |= {f"{name}.{m}": f for m, f in functions.items() if f not in own}
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
