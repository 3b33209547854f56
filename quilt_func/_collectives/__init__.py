"""Ranks, and what they send one another, with rules for all transforms."""

from quilt_func._collectives.exchanging import Exchange
from quilt_func._collectives.ranks import Ranks
from quilt_func._collectives.rules import copied, exchanged, of_partner, summed

__all__ = ["Exchange", "Ranks", "copied", "exchanged", "of_partner", "summed"]
