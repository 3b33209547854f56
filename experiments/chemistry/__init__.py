"""Energies of H2 and LiH along the bond length, by a variational eigensolver."""
