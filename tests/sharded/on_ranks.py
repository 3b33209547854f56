"""What tests run on each rank: whole states in, whole results out."""

from functools import cache
from math import prod

import torch
from torch import distributed
from torch.func import grad, grad_and_value, jvp, vmap

import quilt_func as qf
from quilt_func import sharded
from quilt_func._torch import tree_flatten, tree_unflatten


@cache
def mesh():
    return sharded.mesh("cpu")
