"""Experiment 5: states that are split over processes, planned on paper and run."""
