"""Small settings of the architecture search, for its tests."""

from experiments.nas import train

HOW = {"layers": 2, "epochs": 2, "learning_rate": 0.1}
"""What the circuits of replayed searches are trained with."""


def setting(task, **more):
    """A setting of so few and so short questions that a step takes milliseconds."""
    sizes = {"block": 32, "batch": 8, "train": 60, "held_out": 5, "digits": 1, "decimals": 0}
    return train.Setting(**{"task": task, **sizes, "questions": "", "device": "cpu", **more})
