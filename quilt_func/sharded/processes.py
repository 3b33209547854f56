"""temporary"""

from torch.distributed.device_mesh import DeviceMesh

from quilt_func._collectives import Ranks


def ranks_of(mesh: DeviceMesh) -> Ranks:
    """The ranks of a mesh."""
    return Ranks(mesh.size(), mesh.get_local_rank(), mesh.get_group())
