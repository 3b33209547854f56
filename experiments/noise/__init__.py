"""The classifier of experiment 1 under noise, mitigated noise, and noise learnt from data."""
