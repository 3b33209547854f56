"""Tensors in checkpoints: a state's amplitudes, of which each rank has a part, and others.

References:
    Distributed checkpoints: https://docs.pytorch.org/docs/stable/distributed.checkpoint.html.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh

from quilt_func._collectives import Ranks

_MORE = "more."


def _library() -> Any:
    """`torch.distributed.checkpoint`, whose import takes half as long as torch's."""
    from torch.distributed import checkpoint

    return checkpoint


def _as_real(tensor: Tensor) -> Tensor:
    """A tensor's values as numbers that are real."""
    plain = tensor.detach().resolve_conj()
    return torch.view_as_real(plain) if plain.is_complex() else plain


def _as_global(local: Tensor, ranks: Ranks) -> Tensor:
    """A rank's part of a tensor as a view of the whole, of which each rank files its own."""
    from torch.distributed.tensor import DTensor, Shard

    if ranks.group is None:
        return local
    mesh = DeviceMesh.from_group(ranks.group, local.device.type)
    return DTensor.from_local(local.contiguous(), mesh, [Shard(0)], run_check=False)


def _local_of(tensor: Tensor) -> Tensor:
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def write_tensors(place: Path, local: Tensor, more: dict[str, Tensor], ranks: Ranks) -> None:
    """Write this rank's amplitudes, and tensors that are the same on all."""
    values = {"amplitudes": _as_global(_as_real(local), ranks)}
    values |= {f"{_MORE}{name}": _as_real(value) for name, value in more.items()}
    is_alone = ranks.group is None
    _library().save(values, checkpoint_id=place, process_group=ranks.group, no_dist=is_alone)


def read_tensors(place: Path, ranks: Ranks, device: str) -> tuple[Tensor, dict[str, Tensor]]:
    """Read this rank's amplitudes, whoever wrote them, and the tensors that are the same on all.

    Complex ones have a last axis of real and imaginary parts.
    """
    library = _library()
    entries = library.FileSystemReader(place).read_metadata().state_dict_metadata
    values = {}
    for name, entry in entries.items():
        size, dtype = tuple(entry.size), entry.properties.dtype
        if name == "amplitudes":
            own = torch.empty((size[0] // ranks.n, 2), dtype=dtype, device=device)
            values[name] = _as_global(own, ranks)
        else:
            values[name] = torch.empty(size, dtype=dtype, device=device)
    is_alone = ranks.group is None
    library.load(values, checkpoint_id=place, process_group=ranks.group, no_dist=is_alone)
    local = _local_of(values.pop("amplitudes"))
    return local, {name.removeprefix(_MORE): value for name, value in values.items()}
