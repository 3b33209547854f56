"""All that touches torch's private names: pytrees, levels of transforms, Functions, constants."""

from quilt_func._torch.arrays import (
    adjoint,
    as_seen_here,
    constant,
    in_memory,
    is_alias,
    is_same_view,
    matmul,
    own_precision,
    remembered,
    unconjugated,
    with_plain_cotangent,
)
from quilt_func._torch.dynamo import hide
from quilt_func._torch.freed_memory import keep_freed_memory
from quilt_func._torch.graphs import compile_in_cpp, is_noted, is_within_mode, settings
from quilt_func._torch.levels import (
    batch_levels,
    forward_mode_levels,
    is_differentiated,
    is_recorded,
    is_transformed,
    is_within_transform,
    own_tangent,
    push_forward,
    trusts_forward_rules,
)
from quilt_func._torch.primitive import Primitive
from quilt_func._torch.recording import Flat, has_tag, schema_of, trace_flat, with_plain_views
from quilt_func._torch.trees import (
    register,
    tree_flatten,
    tree_leaves,
    tree_map,
    tree_paths,
    tree_unflatten,
)

__all__ = [
    "Flat",
    "Primitive",
    "adjoint",
    "as_seen_here",
    "batch_levels",
    "compile_in_cpp",
    "constant",
    "forward_mode_levels",
    "has_tag",
    "hide",
    "in_memory",
    "is_alias",
    "is_differentiated",
    "is_noted",
    "is_recorded",
    "is_same_view",
    "is_transformed",
    "is_within_mode",
    "is_within_transform",
    "keep_freed_memory",
    "matmul",
    "own_precision",
    "own_tangent",
    "push_forward",
    "register",
    "remembered",
    "schema_of",
    "settings",
    "trace_flat",
    "tree_flatten",
    "tree_leaves",
    "tree_map",
    "tree_paths",
    "tree_unflatten",
    "trusts_forward_rules",
    "unconjugated",
    "with_plain_cotangent",
    "with_plain_views",
]
