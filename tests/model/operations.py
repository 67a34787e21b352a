"""Every public operation of a ring, its pages, its PCM and its card."""

from __future__ import annotations

from tests.model import asking, moving, states
from tests.model.registry import OPERATIONS, Operation, perform

__all__ = ["OPERATIONS", "Operation", "asking", "moving", "perform", "states"]
