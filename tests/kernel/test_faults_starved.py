"""A ring that nobody feeds, or empties, at every phase of a stream; a process that stands still."""

from __future__ import annotations

import time

import pytest

import alsamm
from tests.kernel.faultkit import BUFFER_SECONDS, SOON, Place, course, keep_row, starve
from tests.kernel.faultroads import HOLDING, ROADS


@pytest.mark.shown("aloop", "usb")
@pytest.mark.parametrize("turns", [1, 7], ids=["first period", "mid"])
def test_starved_and_gone_on(place: Place, road: str, turns: int) -> None:
    """Policy "recover": it goes on, one xrun is counted, and every frame has its number."""
    with course(place, road) as made:
        made.begin(turns + 4)
        moment = starve(made)
        if road == "reserve":  # a ring of one's own tells, and leaves it to its owner
            after = made.end_since(moment)
            assert isinstance(made.error, alsamm.Underrun), made.error
            keep_row("starved, in its hands", road, place.name, "Underrun", after)
            return
        made.goes_on()
        after = (time.monotonic() - moment) / BUFFER_SECONDS
        made.check_xruns(1)
        assert made.road.io.suspends == 0
        made.check_numbers()
        keep_row("starved" + (", in its hands" if road in HOLDING else ""), road, place.name, "goes on, 1 xrun", after)


@pytest.mark.shown("aloop")
@pytest.mark.roads(*(name for name in ROADS if name != "plughw"))
def test_starved_and_told(place: Place, road: str) -> None:
    """Policy "raise": Underrun, as soon as it is looked at."""
    with course(place, road, recover=False) as made:
        made.begin(7)
        moment = starve(made)
        after = made.end_since(moment)
        assert isinstance(made.error, alsamm.Underrun), made.error
        assert after < SOON
        keep_row("starved, to be told", road, place.name, "Underrun", after)


@pytest.mark.needs("capture")
@pytest.mark.shown("hda")
def test_not_emptied(place: Place, road: str) -> None:
    """The same of a capture: what was overwritten is counted as lost."""
    with course(place, road, "capture") as made:
        made.begin(4)
        moment = starve(made)
        if road == "reserve":
            after = made.end_since(moment)
            assert isinstance(made.error, alsamm.Overrun), made.error
            keep_row("not emptied", road, place.name, "Overrun", after)
            return
        made.goes_on(4)
        after = (time.monotonic() - moment) / BUFFER_SECONDS
        made.check_xruns(1)
        assert made.road.io.lost > 0
        made.check_numbers()
        keep_row("not emptied", road, place.name, "goes on, 1 xrun", after)


@pytest.mark.shown("aloop")
@pytest.mark.roads("mapped", "blocking", "asyncio", "plughw")
def test_starved_before_the_start(place: Place, road: str) -> None:
    """A stream that does not run cannot run dry, however long it takes."""
    with course(place, road) as made:
        time.sleep(2 * BUFFER_SECONDS)
        made.begin()
        made.check_xruns(0)
        keep_row("nothing written before the start", road, place.name, "starts, no xrun", 0)


@pytest.mark.shown("aloop", "usb")
@pytest.mark.roads("mapped", "SYNC_PTR", "blocking", "asyncio", "plughw")
def test_starved_before_a_drain(place: Place, road: str) -> None:
    """All was played long ago when ``drain`` comes: a ring of one's own says so, a stream has gone on from it."""
    with course(place, road) as made:
        made.begin(7)
        starve(made, let_go=False)
        made.stop()
        moment = time.monotonic()
        made.begin_with(made.road.drain)
        after = made.end_since(moment)
        if road in {"mapped", "SYNC_PTR"}:
            assert isinstance(made.error, alsamm.Underrun), made.error
        else:
            assert made.error is None, made.error
            made.check_xruns(1)
        outcome = "drained" if made.error is None else "Underrun"
        keep_row("starved before drain", road, place.name, outcome, after)
        assert after < SOON


@pytest.mark.shown("usb", "hda")
@pytest.mark.roads("mapped", "SYNC_PTR", "blocking", "callback", "C callback")
def test_starved_time_and_again(place: Place, road: str) -> None:
    with course(place, road) as made:
        made.begin()
        for _ in range(3):
            starve(made)
            made.goes_on(5)
        made.check_xruns(3)
        made.check_numbers()
        keep_row("starved three times", road, place.name, "goes on, 3 xruns", 0)
