"""A signal each millisecond: no call may fail with EINTR, come too early, never come back, or lose a frame."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import time
from collections.abc import Generator

import pytest

from tests.kernel.faultkit import Place, course, keep_row
from tests.kernel.faultroads import BUFFER, PERIOD, machine_code


@contextlib.contextmanager
def storm(handler: str) -> Generator[list[int]]:
    """SIGALRM each millisecond, for a function of Python's or C's."""
    caught: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _frame: caught.append(number))
    libc = ctypes.CDLL(None)
    try:
        if handler == "C":  # behind Python's back: its wake-up descriptor hears nothing, but poll ends with EINTR
            libc.signal(signal.SIGALRM, machine_code().nothing)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        yield caught
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.shown("aloop", "usb")
@pytest.mark.parametrize("handler", ["Python", "C"])
def test_a_storm_of_signals(place: Place, road: str, handler: str) -> None:
    """In the main thread, which is the one that signals interrupt."""
    with storm(handler) as caught, course(place, road) as made:
        began = time.monotonic()
        if road.endswith("callback"):
            made.begin(12)
            made.road.drain()
        else:
            for _ in range(12):
                made.road.turn() if road not in {"periods", "asyncio"} else None
            if road in {"periods", "asyncio"}:
                made.begin(12)
                made.stop()
            else:
                made.road.wait()
            made.road.drain()
        took = time.monotonic() - began
        # Of 12 blocks all but a buffer must have been waited for: no call came back early.
        assert took > (12 * PERIOD - BUFFER) / 48_000
        assert handler == "C" or caught
        made.check_numbers()
        outcome = f"no call ended early, {made.road.io.xruns} xruns"  # an emulated machine may have them of its own
        keep_row(f"signals each ms, {handler} handler", road, place.name, outcome, took / (BUFFER / 48_000))


@pytest.mark.needs("capture")
@pytest.mark.shown("hda")
@pytest.mark.parametrize("handler", ["Python", "C"])
@pytest.mark.roads("mapped", "SYNC_PTR", "reserve", "blocking", "plughw")
def test_a_storm_while_capturing(place: Place, road: str, handler: str) -> None:
    with storm(handler), course(place, road, "capture") as made:
        if road == "reserve":
            made.road.io.start()
        for _ in range(6):
            made.road.turn()
        outcome = f"no call ended early, {made.road.io.xruns} xruns"
        keep_row(f"capture, signals each ms, {handler} handler", road, place.name, outcome, 0)


class EnoughError(Exception):
    """A handler's."""


def _raise_it(*_: object) -> None:
    raise EnoughError


@pytest.mark.shown("usb")
def test_a_handler_that_raises_ends_the_write_and_nothing_else(place: Place) -> None:
    with course(place, "mapped") as made:
        before = signal.signal(signal.SIGALRM, _raise_it)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(EnoughError):
                made.road.serve()
        finally:
            signal.signal(signal.SIGALRM, before)
        for _ in range(6):
            made.road.turn()
    keep_row("a handler that raises", "mapped", place.name, "its exception, then it goes on", 0)
