"""Bricks of quantum chemistry: reference states, excitations of electrons, and the UCCSD ansatz.

Spin orbitals are numbered with alternating spin: orbital 0 up, orbital 0 down, orbital 1 up, ...
In the mapping of Jordan and Wigner each is a qubit, which is 1 where it is occupied.

    >>> import quilt_func as qf
    >>> hydrogen = qf.molecules.molecule("H2", 0.735, mapping="jordan_wigner")
    >>> start = qf.basis_state(hartree_fock(2, 4))
    >>> def energy(theta):
    ...     return qf.expval(qf.circuit(4, uccsd(theta, 2, 4))(start), hydrogen)
    >>> theta = init_uccsd(2, 4)
    >>> energy(theta), energy(qf.optim.minimise(energy, theta, qf.optim.sgd(1.0), 20).params)
    (tensor(-1.1170), tensor(-1.1373))
"""

from quilt_func.chemistry.electron_moves import Excitations, excitations
from quilt_func.chemistry.occupations import hartree_fock
from quilt_func.chemistry.templates import init_uccsd, uccsd

__all__ = ["Excitations", "excitations", "hartree_fock", "init_uccsd", "uccsd"]
