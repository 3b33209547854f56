r"""Hamiltonians of problems: energies of bit strings to be minimised, and models of magnets.

Bit `b` of a string is the basis state of its wire, wire 0 first; its spin is $z = 1 - 2b$, the
eigenvalue of Z. `to_diagonal` tabulates the energies of all strings:

    >>> from quilt_func import expval, ghz_state, to_diagonal
    >>> triangle = maxcut(3, [(0, 1), (1, 2), (0, 2)])
    >>> to_diagonal(triangle).values
    tensor([ 0., -2., -2., -2., -2., -2., -2.,  0.])
    >>> expval(ghz_state(3), triangle)
    tensor(0.)

Coefficients may be Python numbers or tensors, which are leaves.
"""

from quilt_func.problems.energies import from_qubo, ising, number_partitioning, to_qubo
from quilt_func.problems.graphs import (
    graph_colouring,
    max_clique,
    max_independent_set,
    maxcut,
    min_vertex_cover,
)
from quilt_func.problems.magnets import heisenberg, transverse_field_ising

__all__ = [
    "from_qubo",
    "graph_colouring",
    "heisenberg",
    "ising",
    "max_clique",
    "max_independent_set",
    "maxcut",
    "min_vertex_cover",
    "number_partitioning",
    "to_qubo",
    "transverse_field_ising",
]
