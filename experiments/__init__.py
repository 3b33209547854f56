"""Experiments: one package per question, `python -m experiments.<name>`."""
