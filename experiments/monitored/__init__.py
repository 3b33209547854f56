"""Monitored random circuits: what measurements in the middle do to entanglement."""
