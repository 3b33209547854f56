"""Electrons in spin orbitals as dense matrices, which share no code with the library.

References:
    Jordan and Wigner (1928), Z. Phys. 47, 631; Seeley, Richard and Love (2012), J. Chem. Phys. 137,
    224109, equations 20 and 33 to 35.
"""

from functools import reduce

import numpy as np

from oracles.dense import exponential


def ladder(n):
    """Annihilation operators of n orbitals."""
    lower, z, one = np.array([[0, 1], [0, 0]]), np.diag([1, -1]), np.eye(2)
    return [reduce(np.kron, [z] * j + [lower] + [one] * (n - j - 1)) for j in range(n)]


def numbers(n):
    """Operators of the number of electrons, and of twice their spin along z."""
    each = [a.T @ a for a in ladder(n)]
    return sum(each), sum((-1) ** j * one for j, one in enumerate(each))


def moved(theta, moves, n):
    """exp(θ (T - T†) / 2) for each excitation in turn; T moves electrons from the first half."""
    a, total = ladder(n), np.eye(2**n)
    for angle, move in zip(theta, moves, strict=True):
        start, end = move[: len(move) // 2], move[len(move) // 2 :]
        ups = [a[r].T for r in end]
        downs = [a[p] for p in reversed(start)]
        T = reduce(np.matmul, ups + downs)
        total = exponential(1j * (T - T.T), -1j * angle / 2) @ total
    return total


def brute_force_excitations(n_electrons, n):
    """All basis states of as many electrons up and down, one or two electrons away."""
    start = (1 << n_electrons) - 1
    found = {1: set(), 2: set()}
    for state in range(2**n):
        left, come = (
            [j for j in range(n) if bits >> j & 1] for bits in (start & ~state, state & ~start)
        )
        if len(left) == len(come) in found and sum((-1) ** j for j in left + come) == 2 * sum(
            (-1) ** j for j in left
        ):
            found[len(left)].add((*left, *come))
    return found[1], found[2]


def encoding(mapping, n):
    """The matrix over GF(2) from occupations to qubits."""
    if mapping == "jordan_wigner":
        return np.eye(n, dtype=int)
    if mapping == "parity":
        return np.tril(np.ones((n, n), dtype=int))
    matrix = np.ones((1, 1), dtype=int)
    while len(matrix) < n:
        size = len(matrix)
        matrix = np.kron(np.eye(2, dtype=int), matrix)
        matrix[-1, :size] = 1
    return matrix[:n, :n]
