"""Landscapes of parametrised circuits, an ensemble at a time."""
