"""Circuits of PennyLane's demonstrations on several devices: values, gradients and times."""
