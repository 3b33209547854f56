"""Experiment 1: a variational classifier on 4 qubits, many seeds at once."""
