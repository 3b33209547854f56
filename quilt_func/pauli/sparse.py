"""Sums of Pauli words as sparse matrices."""

import torch
from torch import Tensor

from quilt_func._amplitudes import sign_table


def sparse_matrix(words: tuple[str, ...], coefficients: Tensor, dtype: torch.dtype) -> Tensor:
    """The matrix `Σ c_t P_t`, of layout `sparse_coo`; words that flip the same wires share entries.

    A word takes the basis state b to `i**n_y (-1)**(b·z)` times `b ⊕ x`, where x are its wires of
    X and Y, z those of Y and Z, and `n_y` counts its Y.
    """
    n_qubits = len(words[0])
    columns = torch.arange(2**n_qubits, device=coefficients.device)
    masks: dict[str, list[int]] = {}
    for term, word in enumerate(words):
        masks.setdefault("".join("1" if letter in "XY" else "0" for letter in word), []).append(
            term
        )
    places, values = [], []
    for mask, terms in masks.items():
        rows = columns ^ int(mask or "0", 2)
        places.append(torch.stack([rows, columns]))
        values.append(_entries([words[t] for t in terms], coefficients[terms], dtype))
    size = (2**n_qubits,) * 2
    pairs, entries = torch.cat(places, 1), torch.cat(values)
    return torch.sparse_coo_tensor(pairs, entries, size, check_invariants=True).coalesce()


def _entries(words: list[str], coefficients: Tensor, dtype: torch.dtype) -> Tensor:
    """The entries of some words by column."""
    signs = sign_table([letter in "YZ" for letter in word] for word in words)
    phases = torch.tensor([1j ** (word.count("Y") % 4) for word in words], dtype=dtype)
    table = torch.as_tensor(signs, dtype=coefficients.dtype, device=coefficients.device)
    return (coefficients * phases.to(coefficients.device)) @ table.to(dtype)
