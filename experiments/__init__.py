"""Experiments: one file per question, `python -m experiments.<name>`."""
