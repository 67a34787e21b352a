"""What is done to a card, its PCMs and rings, by name: each made of the model and of the real thing.

An operation is a name, a direction and two numbers, which it makes frames or flags of as it needs them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from alsamm.enums import Direction

if TYPE_CHECKING:
    from tests.model.session import Session, Side

__all__ = ["OPERATIONS", "Operation", "count", "often", "perform", "with_capture", "with_playback"]

Operation = tuple[str, int, int, int]
"""Name, direction, and two numbers."""
_Do = Callable[["Session", "Side", int, int], None]
OPERATIONS: dict[str, tuple[int, _Do]] = {}
"""With how often each is drawn."""


def perform(session: Any, operation: Operation) -> None:
    """On a Session, or a RealSession."""
    name, way, a, b = operation
    session.figures[f"operation {name}"] += 1
    OPERATIONS[name][1](session, session.sides[way], a, b)


def often(weight: int) -> Callable[[_Do], _Do]:
    def register(do: _Do) -> _Do:
        OPERATIONS[do.__name__] = (weight, do)
        return do

    return register


def _only(way: Direction) -> Callable[[_Do], _Do]:
    def only(do: _Do) -> _Do:
        def wrapped(session: Session, _side: Side, a: int, b: int) -> None:
            do(session, session.sides[way], a, b)

        wrapped.__name__ = do.__name__
        return wrapped

    return only


with_playback, with_capture = _only(Direction.PLAYBACK), _only(Direction.CAPTURE)
"""An operation of one direction only, whatever was drawn."""


def count(session: Session, number: int) -> int:
    """Frames: mostly what fits, sometimes more than the ring."""
    t = session.plan.traits
    return number % (t.period + 1) if number & 1 else number // 2 % (2 * t.buffer)
