"""Unitary coupled cluster of singles and doubles, as gates."""

import torch
from torch import Tensor

from quilt_func._checks import COMPLEX_OF, check_tensor, message
from quilt_func.chemistry.electron_moves import excitations
from quilt_func.chemistry.occupations import check_electrons
from quilt_func.gates import cz, double_excitation, single_excitation
from quilt_func.ops import Op
from quilt_func.typing import Device


def uccsd(
    theta: Tensor, n_electrons: int, n_orbitals: int, *, parity_strings: bool = True
) -> tuple[Op, ...]:
    """Unitary coupled cluster of single and double excitations, one step of Trotter's product.

    Doubles come first, in the order of `excitations`. Each is `exp(θ (T - T†) / 2)`, where T moves
    its electrons; the energy of the Hartree-Fock state has no slope in the singles.

    Args:
        theta (real, (n_singles + n_doubles,)): Angles of the singles, then of the doubles, in
            radians.
        n_electrons: Number of electrons.
        n_orbitals: Number of spin orbitals, which is that of qubits, by Jordan and Wigner.
        parity_strings: Whether T moves fermions, whose sign is the parity of the electrons that
            they pass, by `cz` before and after; if not, it moves excitations of qubits.

    Returns:
        Ops on `range(n_orbitals)`, to be applied to the Hartree-Fock state.

    Raises:
        TypeError: If `theta` is not a real tensor, or a number not an int.
        ValueError: If `theta` is not of one angle per excitation.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in `theta`.

    Examples:
        >>> import torch
        >>> import quilt_func as qf
        >>> ansatz = uccsd(torch.tensor([0.0, 0.0, 0.2]), 2, 4)
        >>> state = qf.circuit(4, ansatz)(qf.basis_state("1100"))
        >>> qf.probs(state)[[0b1100, 0b0011]]
        tensor([0.9900, 0.0100])

    References:
        Peruzzo et al. (2014), Nat. Commun. 5, 4213; Anselmetti, Wierichs, Gogolin and Parrish
        (2021), New J. Phys. 23, 113010 (the gates); Yordanov, Armaos, Barnes and Arvidsson-Shukur
        (2021), Commun. Phys. 4, 228 (without strings).
    """
    check_electrons("uccsd", n_electrons, n_orbitals, "n_orbitals")
    singles, doubles = excitations(n_electrons, n_orbitals)
    remedy = "Give one angle for each of `excitations(n_electrons, n_orbitals)`."
    form = (len(singles) + len(doubles),)
    check_tensor("uccsd", "theta", theta, COMPLEX_OF, form, remedy)
    of_singles, of_doubles = theta.split([len(singles), len(doubles)])
    fours = [(r, s, p, q) for p, q, r, s in doubles]
    pairs = [(r, p) for p, r in singles]
    if not parity_strings:
        return double_excitation(of_doubles, fours), single_excitation(of_singles, pairs)
    ops = [
        *map(double_excitation, of_doubles.unbind(0), ([wires] for wires in fours)),
        *map(single_excitation, of_singles.unbind(0), ([wires] for wires in pairs)),
    ]
    return tuple(part for op in ops for part in _with_strings(op))


def init_uccsd(
    n_electrons: int,
    n_orbitals: int,
    *,
    dtype: torch.dtype = torch.float32,
    device: Device = None,
) -> Tensor:
    """Parameters of `uccsd`: zeros, at which it leaves the Hartree-Fock state as it is.

    Args:
        n_electrons: Number of electrons.
        n_orbitals: Number of spin orbitals.
        dtype: Of the angles.
        device: Of the angles; default: the CPU.

    Returns:
        (real, (n_singles + n_doubles,)): Angles of the singles, then of the doubles.

    Raises:
        TypeError: If a number is not an int, or `dtype` no real one.
        ValueError: If there are more electrons than orbitals.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> init_uccsd(2, 4)
        tensor([0., 0., 0.])
    """
    check_electrons("init_uccsd", n_electrons, n_orbitals, "n_orbitals")
    if dtype not in COMPLEX_OF:
        got, remedy = f"{dtype}", "Choose torch.float32 or torch.float64."
        raise TypeError(message("init_uccsd", "dtype", dtype, "be real", got, remedy))
    singles, doubles = excitations(n_electrons, n_orbitals)
    return torch.zeros(len(singles) + len(doubles), dtype=dtype, device=device)


def _with_strings(op: Op) -> tuple[Op, ...]:
    """An excitation of fermions: a `cz` with each orbital that an electron passes is its string."""
    (wires,) = op.wires
    ascending = sorted(wires)
    gaps = zip(ascending[::2], ascending[1::2], strict=True)
    strings = [(passed, end) for start, end in gaps for passed in range(start + 1, end)]
    return (cz(strings), op, cz(strings)) if strings else (op,)
