"""Kinds of steps, which the planner, runs and tables loop over."""

from quilt_func.evolution.batching import BatchKey
from quilt_func.evolution.steps.block import BLOCK, OPERATOR, Block, Operator, block_width
from quilt_func.evolution.steps.block_build import product
from quilt_func.evolution.steps.block_recipe import Prefix, prefix_of
from quilt_func.evolution.steps.diagonal_phases import DIAGONAL, DiagonalPhases
from quilt_func.evolution.steps.exchange import EXCHANGE, ExchangeRow, ExchangeStep, exchange_row
from quilt_func.evolution.steps.kind import (
    Applied,
    Built,
    Kind,
    Params,
    Part,
    Price,
    Recipe,
    Step,
)
from quilt_func.evolution.steps.permutation import PERMUTATION, Permutation, affine
from quilt_func.evolution.steps.wire_order import WIRE_ORDER, WireOrder

KINDS: tuple[Kind, ...] = (BLOCK, OPERATOR, DIAGONAL, PERMUTATION, WIRE_ORDER, EXCHANGE)
"""All kinds of steps. Where two pay alike, the first is taken."""

__all__ = [
    "BLOCK", "DIAGONAL", "EXCHANGE", "KINDS", "OPERATOR", "PERMUTATION", "WIRE_ORDER", "Applied",
    "BatchKey", "Block", "Built", "DiagonalPhases", "ExchangeRow", "ExchangeStep", "Kind",
    "Operator", "Params", "Part", "Permutation", "Prefix", "Price", "Recipe", "Step", "WireOrder",
    "affine", "block_width", "exchange_row", "prefix_of", "product",
]  # fmt: skip
