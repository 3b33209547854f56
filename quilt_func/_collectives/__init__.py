"""Ranks, and what they send one another, with rules for all transforms."""

from quilt_func._collectives.ranks import Ranks

__all__ = ["Ranks"]
