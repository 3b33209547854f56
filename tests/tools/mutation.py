"""Mutation run: plants a random sample of single mistakes in the library, and counts who notices.

    python tests/tools/mutation.py --sample 300 --seed 2026 --out build/mutation.json

Mistakes are those of cosmic-ray's operators: an operator or a comparison replaced, a number changed
by one, a condition negated, a decorator or a loop removed. They are planted in a copy of the
repository. A mutant is killed when the fast profile, `TESTS` at a few examples a law, fails; each
run is a fork of one process that has loaded torch. Hints and `lru_cache` sizes are left alone.
"""

import argparse
import ast
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    "gates", "ops", "derived", "custom_gates", "circuits", "measurement",
    "_torch/primitive", "_torch/fast_functions", "_torch/public_functions",
    "evolution/entry", "evolution/rules", "evolution/plain_rules", "evolution/calls",
    "evolution/batching",
    "evolution/signature", "evolution/planner", "evolution/partitioning",
    "evolution/reversible_run", "evolution/reference", "evolution/steps/permutation",
    "evolution/steps/diagonal_phases", "evolution/tangents/jacobians",
    "evolution/tangents/tangent_run",
    "pauli/entry", "pauli/rules", "pauli/words",
    "replay/arguments", "replay/draft", "replay/gradients", "replay/movements", "replay/passes",
)  # fmt: skip
OWN_TESTS = {"_torch": "test_primitive", "tangents": "test_tangents", "evolution": "test_plan",
             "pauli": "test_pauli", "replay": "test_passes"}  # fmt: skip
"""Which tests run first, by the folder of a room, where it is not those named like the room."""
TESTS = (
    "tests/laws/test_ops.py", "tests/laws/test_measurement.py", "tests/laws/test_circuits.py",
    "tests/laws/test_gates.py", "tests/pauli", "tests/evolution", "tests/torch_rooms",
    "tests/test_errors.py", "tests/transforms/test_closed_forms.py",
    *(f"quilt_func/{module}.py" for module in MODULES),  # the examples of docstrings
)  # fmt: skip
OF_THE_TESTS = "tests/test_errors.py::test_every_room_has_bad_calls"
"""It judges the tables of the tests, not the library."""
OPTIONS = ["-x", "-q", "--tb=line", "--deselect", OF_THE_TESTS, "-p", "no:xdist",
           "-p", "no:cacheprovider"]  # fmt: skip
TIMEOUT = 120
"""Seconds of a run's own processor time after which it is taken to have no end.

Eight times what the tests take alone: a busy machine makes a run late, but hardly uses its time up.
"""
MEMORY = 2**33
"""Bytes of addresses of a run: a list that grows without end fails before the machine does."""


@dataclass(frozen=True)
class Mutant:
    """One mistake: `before` became `after` in a line of a module."""

    module: str
    operator: str
    occurrence: int
    line: int
    before: str
    after: str
    status: str = ""
    seconds: float = 0.0


def hint_positions(code: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where type hints stand, and sizes of caches: changing them changes no result."""
    spots: list[ast.expr] = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
            spots.append(node.annotation)
        elif isinstance(node, ast.FunctionDef) and node.returns:
            spots.append(node.returns)
        elif isinstance(node, ast.keyword) and node.arg == "maxsize":
            spots.append(node.value)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript | ast.BinOp):
            is_alias = all(isinstance(t, ast.Name) and t.id[0].isupper() for t in node.targets)
            spots += [node.value] if is_alias and node.col_offset == 0 else []
    return [
        ((spot.lineno, spot.col_offset), (spot.end_lineno or 0, spot.end_col_offset or 0))
        for spot in spots
    ]


def mutants(module: str) -> Iterator[Mutant]:
    """All mutants of a module, in the order of cosmic-ray's operators."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    code = (ROOT / "quilt_func" / f"{module}.py").read_text("utf8")
    hints, lines = hint_positions(code), code.splitlines()
    for name in sorted(operator_names()):
        operator = get_operator(name)
        if operator.arguments():
            continue
        spots = [
            spot
            for node in ast_nodes(get_ast(code))
            for spot in operator().mutation_positions(node)
        ]
        for occurrence, (start, _) in enumerate(spots):
            if not any(first <= start < last for first, last in hints):
                yield Mutant(module, name, occurrence, start[0], lines[start[0] - 1].strip(), "")


def mutated(mutant: Mutant) -> str:
    """The module's code with the mistake in it."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    code = (ROOT / "quilt_func" / f"{mutant.module}.py").read_text("utf8")
    changed: str = mutate_code(code, get_operator(mutant.operator)(), mutant.occurrence)
    return changed


def plant(tree: Path, module: str, code: str) -> None:
    """Write a module's code, and forget what was compiled of it."""
    (tree / "quilt_func" / f"{module}.py").write_text(code, "utf8")
    folder, _, name = f"quilt_func/{module}".rpartition("/")
    for compiled in (tree / folder / "__pycache__").glob(f"{name}.*.pyc"):
        compiled.unlink()


def ordered(module: str) -> list[str]:
    """The tests, those of the module's own room first."""
    folders = module.split("/")[-2::-1]
    own = next((OWN_TESTS[f] for f in folders if f in OWN_TESTS), f"test_{module}.")
    return sorted(TESTS, key=lambda test: own not in test)


def in_child(tree: Path, module: str) -> None:
    """Run the tests in this process, and leave it."""
    resource.setrlimit(resource.RLIMIT_CPU, (TIMEOUT, TIMEOUT + 5))  # first SIGXCPU, then SIGKILL
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.path[:0] = [str(tree)]
    os.chdir(tree)
    sink = os.open(tree / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    import pytest

    code = pytest.main([*OPTIONS, *ordered(module)])
    sys.stdout.flush()
    os._exit(int(code != 0))


def verdict(tree: Path, module: str) -> tuple[str, float]:
    """How the tests ended in a fork, and after how many seconds; other signals are crashes."""
    start = time.monotonic()
    child = os.fork()
    if not child:
        try:
            in_child(tree, module)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    by_signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    is_late = by_signal == signal.SIGXCPU
    ended = "timeout" if is_late else "crashed" if by_signal else "killed" if status else "survived"
    return ended, round(time.monotonic() - start, 1)


def judge(tree: Path, mutant: Mutant) -> Mutant:
    """Plant a mutant, run the tests, and take it out again."""
    original = (ROOT / "quilt_func" / f"{mutant.module}.py").read_text("utf8")
    code = mutated(mutant)
    lines = zip(original.splitlines(), code.splitlines(), strict=False)
    changed = next((new for old, new in lines if old != new), "(a line removed)")
    try:
        plant(tree, mutant.module, code)
        status, seconds = verdict(tree, mutant.module)
    finally:
        plant(tree, mutant.module, original)
    fields = asdict(mutant) | {"after": changed.strip(), "status": status, "seconds": seconds}
    return Mutant(**fields)


def chosen(modules: list[str], size: int, seed: int) -> tuple[list[Mutant], int]:
    """A random sample of all mutants, and how many there are."""
    population = [mutant for module in modules for mutant in mutants(module)]
    return random.Random(seed).sample(population, min(size, len(population))), len(population)


def copied(into: Path) -> Path:
    """A copy of what the tests need."""
    tree = into / "tree"
    for name in ("quilt_func", "tests"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "noxfile.py"):
        shutil.copy(ROOT / name, tree / name)
    return tree


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--modules", nargs="+", default=list(MODULES), choices=MODULES)
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--out", type=Path, default=Path("mutation.json"))
    return parser.parse_args()


def main() -> None:
    """Judge a sample, and write what happened."""
    given = options()
    os.environ["HYPOTHESIS_PROFILE"] = "fast"
    import torch  # so that no fork need load it

    torch.set_num_threads(1)
    sample, size = chosen(given.modules, given.sample, given.seed)
    with tempfile.TemporaryDirectory() as folder:
        tree = copied(Path(folder))
        status, seconds = verdict(tree, given.modules[0])
        assert status == "survived", (tree / "output.txt").read_text("utf8")
        print(f"{len(sample)} of {size} mutants; the tests alone take {seconds} s", flush=True)
        found = []
        for number, mutant in enumerate(sample, 1):
            found.append(judge(tree, mutant))
            last = found[-1]
            print(f"{number} {last.status} {last.seconds} s {last.module}:{last.line} "
                  f"{last.operator} | {last.before} | {last.after}", flush=True)  # fmt: skip
            report = {"seed": given.seed, "modules": given.modules, "population": size,
                      "tests_seconds": seconds, "mutants": [asdict(m) for m in found]}  # fmt: skip
            given.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf8")
    print(dict(Counter(mutant.status for mutant in found)))


if __name__ == "__main__":
    main()
