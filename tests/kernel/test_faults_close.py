"""Closed by another thread while blocked: in a write, a read, a wait, a drain, a view, a callback."""

from __future__ import annotations

import time

import pytest

import alsamm
from tests.kernel.faultkit import SOON, Place, course, keep_row
from tests.kernel.faultphases import begin
from tests.kernel.faultroads import CALLBACKS


@pytest.mark.shown("aloop", "usb")
@pytest.mark.phases("moving", "held", "waiting", "draining")
def test_closed_by_another_thread(place: Place, way: str, phase: str) -> None:
    with course(place, way) as made:
        begin(made, phase)
        moment = time.monotonic()
        if phase == "held" and way in CALLBACKS:
            made.let_go()  # who closes waits for the callback to return
        made.road.close()
        closing = time.monotonic() - moment
        made.let_go()
        after = made.end_since(moment)
        # A callback's stream ends, which whoever waits for it is told without an error.
        assert made.error is None if way in CALLBACKS else isinstance(made.error, alsamm.ClosedError), repr(made.error)
        outcome = "ends" if made.error is None else "ClosedError"
        keep_row(f"closed by another thread, {phase}", way, place.name, outcome, after)
        assert after < SOON
        place.is_free()
    assert closing < 1


@pytest.mark.needs("capture")
@pytest.mark.shown("hda")
@pytest.mark.roads(
    "mapped", "SYNC_PTR", "reserve", "periods", "blocking", "asyncio", "callback", "C callback", "plughw"
)
def test_capture_closed_by_another_thread(place: Place, road: str) -> None:
    with course(place, road, "capture") as made:
        made.begin(4)
        moment = time.monotonic()
        made.road.close()
        after = made.end_since(moment)
        assert made.error is None if road in CALLBACKS else isinstance(made.error, alsamm.ClosedError), repr(made.error)
        keep_row(
            "capture closed by another thread", road, place.name, "ends" if not made.error else "ClosedError", after
        )
        assert after < SOON
        place.is_free()
