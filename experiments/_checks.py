"""Checks of configs, in the library's message form."""

from typing import Any

import torch


def message(
    function: str, argument: str, given: object, requirement: str, got: str, remedy: str
) -> str:
    """Compose an error message, with what was given in at most 60 characters."""
    text = repr(given)
    call = f"{function}({argument}={text if len(text) <= 60 else f'{text[:57]}...'})"
    return f"{call}: `{argument}` must {requirement}, but got {got}. {remedy}"


def check_counts(config: object, *names: str, minimum: int = 1) -> None:
    """Refuse a config whose named fields, or their members, are not ints of at least `minimum`."""
    function = type(config).__name__
    for name in names:
        field = getattr(config, name)
        for value in field if isinstance(field, tuple) else (field,):
            if type(value) is not int:
                got, remedy = f"a {type(value).__name__}", f"Give an int of at least {minimum}."
                raise TypeError(message(function, name, value, "be an int", got, remedy))
            if value < minimum:
                need, remedy = f"be at least {minimum}", f"Give {minimum} or more."
                raise ValueError(message(function, name, value, need, str(value), remedy))


def check_device(config: Any) -> None:
    """Refuse a config whose device is unknown, or one that this machine lacks."""
    function, device = type(config).__name__, config.device
    kind = device.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        remedy = "Give cpu, cuda or cuda:<number>."
        raise ValueError(message(function, "device", device, "be cpu or cuda", device, remedy))
    if kind == "cuda" and not torch.cuda.is_available():
        remedy = "Give cpu, or install torch with CUDA."
        raise ValueError(message(function, "device", device, "be available", "no GPU", remedy))
