"""What a stream is doing when a fault finds it."""

from __future__ import annotations

import pytest

from tests.kernel.faultkit import Course, until
from tests.kernel.faultroads import HOLDING, ROADS

__all__ = ["begin", "pairs_for"]

PHASES = ("idle", "moving", "held", "waiting", "draining")


def pairs_for(case: pytest.Item) -> list[tuple[str, str]]:
    """Each road and what it can be found doing; of the case's ``phases``, where it names some."""
    marked = case.get_closest_marker("phases")
    phases = PHASES if marked is None else marked.args
    return [(road, phase) for road in ROADS for phase in phases if phase != "held" or road in HOLDING]


def wait_and_move(made: Course) -> None:
    """Loops in ``wait`` rather than in a write."""
    while not made.road.ending:
        made.road.turn()
        made.road.wait()


def begin(made: Course, phase: str) -> None:
    """Bring it to the phase in which the fault is to find it."""
    if phase == "waiting" and not made.name.endswith("callback"):
        made.begin_with(lambda: wait_and_move(made))
    elif phase == "draining":
        made.begin_with(lambda: _fill_and_drain(made))
    elif phase != "idle":
        made.begin()
    if phase == "held":
        made.hold()


def _fill_and_drain(made: Course) -> None:
    if made.name.endswith("callback"):
        made.road.opened.start()  # type: ignore[attr-defined]
        until(lambda: made.road.turns >= 4, "a full buffer")
    else:
        for _ in range(4):
            made.road.turn()
    made.road.drain()
