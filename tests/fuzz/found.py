"""What the run of a target came to."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Found"]


@dataclass(frozen=True)
class Found:
    """``broke``: the input that broke it, or empty. ``reached``: our functions that it ran, where that is known."""

    runs: int
    edges: int = 0
    broke: str = ""
    reached: frozenset[str] = frozenset()
