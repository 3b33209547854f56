"""Quantum error correction: how often codes lose a qubit, and what sampling it costs."""
