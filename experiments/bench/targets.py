"""What the benchmark is to show: each claim with its opponent, its floor and its stretch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .workloads import parse

Row: TypeAlias = Mapping[str, Any]

MIB = 2**20
COMPILED = ("tensorcircuit", "tensorcircuit-scan")
"""The opponents of bars against `compiled`; bars against `jax` take in qujax too."""


@dataclass(frozen=True)
class Race:
    """Our speed-up over the fastest of some peers: at least so much.

    Attributes:
        work: A workload.
        against: A peer, a family, `compiled`, or `any`.
        least: The floor.
        stretch: What to hope for, if anything more.
        ours: Which of our ways takes part.
        cost: Which time counts.
    """

    work: str
    against: str
    least: float
    stretch: float | None
    ours: str = "quilt"
    cost: str = "median_ms"

    def value(self, rows: Sequence[Row]) -> float | None:
        """The opponent's time over ours."""
        ours, theirs = (fastest(rows, self.work, kind) for kind in (self.ours, self.against))
        return None if ours is None or theirs is None else theirs[self.cost] / ours[self.cost]

    @property
    def title(self) -> str:
        """The race in words."""
        way = "" if self.ours == "quilt" else ", jit"
        first = ", first call" if self.cost == "first_s" else ""
        return f"{self.work}{way}{first}: {self.against}"

    def met(self, value: float, bar: float) -> bool:
        """Whether a value clears a bar."""
        return value >= bar


@dataclass(frozen=True)
class Growth:
    """A cost of ours that must not grow too much: at most so much.

    Attributes:
        work: What is compared, in words.
        against: The unit, in words.
        least: The floor, here a ceiling.
        stretch: What to hope for.
        cost: From the rows of ours, by work, to the cost.
        needs: The workloads it is made of.
    """

    work: str
    against: str
    least: float
    stretch: float | None
    cost: Callable[[Mapping[str, Row]], float]
    needs: tuple[str, ...]

    @property
    def title(self) -> str:
        """The growth in words."""
        return f"{self.work}: {self.against}"

    def value(self, rows: Sequence[Row]) -> float | None:
        """The cost, once all of its workloads are measured."""
        ours = {
            row["work"]: row for row in rows if row["peer"] == "quilt" and row["status"] == "ok"
        }
        return self.cost(ours) if set(self.needs) <= ours.keys() else None

    def met(self, value: float, bar: float) -> bool:
        """Whether a value stays below a bar."""
        return value <= bar


def races(
    against: str,
    bars: Mapping[str, tuple[float, float | None]],
    ours: str = "quilt",
    cost: str = "median_ms",
) -> tuple[Race, ...]:
    """Races against one kind of opponent."""
    return tuple(Race(work, against, *pair, ours, cost) for work, pair in bars.items())


def time_growth(work: str, before: str, least: float, stretch: float | None = None) -> Growth:
    """How much longer one workload takes than another, per amplitude."""
    scale = 2 ** (parse(work).circuit.n - parse(before).circuit.n)

    def cost(rows: Mapping[str, Row]) -> float:
        ratio: float = rows[work]["median_ms"] / rows[before]["median_ms"] / scale
        return ratio

    return Growth(f"{before} → {work}", "time per amplitude", least, stretch, cost, (work, before))


def memory_growth(work: str, before: str, least: float, stretch: float) -> Growth:
    """How much more memory one workload takes than another."""

    def cost(rows: Mapping[str, Row]) -> float:
        more: float = rows[work]["peak_mib"] - rows[before]["peak_mib"]
        return max(0.0, more)

    return Growth(f"{before} → {work}", "more MiB", least, stretch, cost, (work, before))


def memory(work: str, least: float, stretch: float) -> Growth:
    """The peak memory of a workload in states."""
    state = 8 * 2 ** parse(work).circuit.n / MIB

    def cost(rows: Mapping[str, Row]) -> float:
        states: float = rows[work]["peak_mib"] / state
        return states

    return Growth(work, "states of memory", least, stretch, cost, (work,))


SMALL = (
    "vqc(4,4,70)", "vqc(8,6,256)", "vqc(10,8,128)", "seeds(64,4,4,70)", "hessian(8,2)", "qfi(8,2)"
)  # fmt: skip
"""Workloads of up to ten qubits, whose calls cost more than their arithmetic."""

TARGETS: tuple[Race | Growth, ...] = (
    *races("paper", {"vqc(4,4,70)": (400, 1000)}),
    *races(
        "torch",
        {
            "vqc(4,4,70)": (7, 20), "vqc(8,6,256)": (6, 12), "vqc(10,8,128)": (8, 16),
            "vqe(12,6)": (10, 20), "vqe(16,6)": (9, 15), "vqe(20,4)": (6, 10),
            "seeds(64,4,4,70)": (4, 10), "hessian(8,2)": (20, 60),
            "qfi(8,2)": (5, None),
        },
    ),
    *races("flagquantum-rows", {"hessian(8,2)": (20, 60), "qfi(8,2)": (5, None)}),
    *races(
        "compiled",
        {
            "vqc(4,4,70)": (0.2, 0.7), "vqc(8,6,256)": (0.8, 1.5), "seeds(64,4,4,70)": (1, 2),
            "hessian(8,2)": (0.1, 0.5), "train(4,4,70,80)": (15, 40),
        },
    ),
    *races("jax", {"qfi(8,2)": (0.1, 0.5)}),
    *races("any", {"vqe(12,6)": (0.6, 1.2), "vqe(16,6)": (3, 4), "vqe(20,4)": (4, 6)}),
    *races(
        "compiled",
        {
            "vqc(4,4,70)": (0.6, 1.2), "qfi(8,2)": (0.5, 1), "hessian(8,2)": (0.5, 1),
            "vqc(8,6,256)": (1, 2), "vqe(12,6)": (1.1, 2), "seeds(64,4,4,70)": (3, 5),
            "kernel(8,2,128)": (1, 2),
        },
        ours="quilt-jit",
    ),
    *races("quilt", dict.fromkeys(SMALL, (2.5, 5)), ours="quilt-jit"),
    *races("compiled", dict.fromkeys(SMALL, (3, 10)), ours="quilt-jit", cost="first_s"),
    *races("qsim", {"fwd(20,6)": (1, 1.5), "fwd(24,4)": (1, 1.5)}),
    memory("vqe(24,4)", 8, 5),
    time_growth("vqe(16,16)", "vqe(16,4)", 4.4),
    memory_growth("vqe(20,64)", "vqe(20,4)", 16, 0),
    time_growth("fwd(22,4)", "fwd(16,4)", 2.5, 1.5),
)  # fmt: skip


def verdicts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """A row for each target whose workloads are measured."""
    result = []
    for target in TARGETS:
        value = target.value(rows)
        if value is not None:
            result.append({
                "work": "targets", "peer": target.title, "ratio": value,
                "status": _verdict(target, value), "note": _bars(target),
            })  # fmt: skip
    return result


def _bars(target: Race | Growth) -> str:
    words = "at least" if isinstance(target, Race) else "at most"
    hoped = "" if target.stretch is None else f", stretch {target.stretch:g}"
    return f"{words} {target.least:g}{hoped}"


def _verdict(target: Race | Growth, value: float) -> str:
    if target.stretch is not None and target.met(value, target.stretch):
        return "stretch"
    return "met" if target.met(value, target.least) else "missed"


def fastest(rows: Sequence[Row], work: str, kind: str) -> Row | None:
    """The fastest single-precision row of a peer, a family, `compiled`, or `any` but ours."""
    found = [
        row
        for row in rows
        if (row["work"], row["status"], row["precision"]) == (work, "ok", "single")
        and kind in _kinds(row)
    ]
    return min(found, key=lambda row: row["median_ms"], default=None)


def _kinds(row: Row) -> tuple[str, ...]:
    kinds = (row["peer"], row["family"])
    kinds += ("compiled",) if row["peer"] in COMPILED else ()
    return kinds if row["family"] == "ours" else (*kinds, "any")
