"""Experiment 2: choose one of 16 transformer architectures by a variational eigensolver."""
