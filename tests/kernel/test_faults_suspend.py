"""The guest is suspended and resumed while a stream is under way.

``pm_test`` at "devices" goes the whole way through the drivers' suspend and resume, then comes back by itself: it needs
no wake-up, which an emulated machine may not give. Run it with ``--sleeps``.
"""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

import alsamm
from alsamm._c import ffi, lib
from tests.kernel.faultkit import BUFFER_SECONDS, SOON, Place, course, keep_row
from tests.kernel.faultroads import HOLDING, PERIOD, RATE, ROADS

POWER = Path("/sys/power")
DELAY = Path("/sys/module/suspend/parameters/pm_test_delay")
DROP_CACHES = Path("/proc/sys/vm/drop_caches")


@contextlib.contextmanager
def short_nights() -> Generator[None]:
    """Suspends of the drivers that last for a second."""
    before = DELAY.read_text()
    try:
        DELAY.write_text("1")
        (POWER / "pm_test").write_text("devices")
        yield
    finally:
        (POWER / "pm_test").write_text("none")
        DELAY.write_text(before)


def suspend() -> float:
    """Suspend and resume the guest; when it had resumed."""
    (POWER / "state").write_text("freeze")
    return time.monotonic()


_awake: set[str] = set()


@pytest.fixture(autouse=True)
def before_the_first_night(place: Place) -> None:
    """All code is in memory from now on: after a suspend the guest's files (9p) cannot be opened any more."""
    if place.name in _awake:
        return
    for road in ROADS:
        with course(place, road) as made:
            made.begin()
            made.hold()
            made.let_go()
            made.check_numbers()
            made.stop()
            if not made.name.endswith("callback"):
                made.ended.clear()
                made.begin_with(made.road.drain)
    # A page of code that the kernel gave up would be read again from files that are gone: all that is mapped is held.
    # What was not held is missed on each run by this, rather than once in a while.
    assert lib.alsamm_lock_memory(0) == 0
    DROP_CACHES.write_text("1")
    _awake.add(place.name)


@pytest.mark.shown("hda", "aloop")
def test_suspended_and_gone_on(place: Place, road: str) -> None:
    """Policy "recover": the stream goes on, and tells of one suspend where the driver stopped it."""
    with short_nights(), course(place, road) as made:
        made.begin()
        moment = suspend()
        if road == "reserve":  # a ring of one's own tells, and leaves it to its owner
            after = made.end_since(moment)
            assert isinstance(made.error, alsamm.SuspendedError), made.error
            keep_row("suspended while moving", road, place.name, "SuspendedError", after)
            return
        made.goes_on()
        after = (time.monotonic() - moment) / BUFFER_SECONDS
        io = made.road.io
        assert io.suspends == 1, (io.suspends, io.xruns)
        made.check_numbers()
        # The first moments of an emulated machine that wakes may be late.
        keep_row("suspended while moving", road, place.name, f"goes on, 1 suspend, {io.xruns} xruns", after)


@pytest.mark.shown("hda")
@pytest.mark.roads(*HOLDING)
def test_suspended_in_its_hands(place: Place, road: str) -> None:
    with short_nights(), course(place, road) as made:
        made.begin()
        made.hold()
        moment = suspend()
        made.let_go()
        if road == "reserve":  # a ring of one's own tells, and leaves it to its owner
            after = made.end_since(moment)
            assert isinstance(made.error, (alsamm.SuspendedError, alsamm.Underrun)), made.error
        else:
            made.goes_on()
            after = (time.monotonic() - moment) / BUFFER_SECONDS
            assert made.road.io.suspends + made.road.io.xruns >= 1
            made.check_numbers()
        outcome = "goes on" if made.error is None else type(made.error).__name__
        keep_row("suspended, in its hands", road, place.name, outcome, after)


@pytest.mark.shown("hda")
@pytest.mark.roads(*(name for name in ROADS if name != "reserve"))
def test_suspended_and_told(place: Place, road: str) -> None:
    """Policy "raise": SuspendedError."""
    with short_nights(), course(place, road, recover=False) as made:
        made.begin()
        moment = suspend()
        after = made.end_since(moment)
        assert isinstance(made.error, alsamm.SuspendedError), made.error
        keep_row("suspended, to be told", road, place.name, "SuspendedError", after)
        assert after < SOON


@pytest.mark.shown("hda", "aloop")
def test_suspended_before_the_start(place: Place) -> None:
    """The kernel answers as in any other wrong state (rule P28); it is told, and gone on from."""
    block = np.zeros((PERIOD, 2), "<i2")
    with (
        short_nights(),
        alsamm.playback(
            place.pcm("playback"), rate=RATE, period_size=PERIOD, buffer_size=4 * PERIOD, nearest=True
        ) as out,
    ):
        out.write_available(block)
        suspend()
        for op in (lib.ALSAMM_START, lib.ALSAMM_DRAIN, lib.ALSAMM_XRUN, lib.ALSAMM_PAUSE):
            if op != lib.ALSAMM_PAUSE or out.pcm.hw_params().can_pause:
                assert lib.alsamm_pcm_op(out.pcm.kernel_fd(), op, 1, ffi.new("long *")) == -errno.EBADFD, op
        with pytest.raises(alsamm.SuspendedError):
            out.start()
        moment = time.monotonic()
        for _ in range(8):
            out.write(block)
        after = (time.monotonic() - moment) / BUFFER_SECONDS
        assert out.state is alsamm.State.RUNNING
        assert out.stats.suspends == 1, out.stats
        keep_row("suspended before the start", "blocking", place.name, "SuspendedError, then goes on", after)


@pytest.mark.shown("aloop", "hda")
@pytest.mark.roads("mapped", "blocking", "asyncio", "callback", "C callback")
def test_suspended_while_draining(place: Place, road: str) -> None:
    """What was not played when the system fell asleep is played when it wakes, or is told as lost; nothing hangs."""
    with short_nights(), course(place, road) as made:
        made.begin(8)
        made.hold()
        made.road.ending = not road.endswith("callback")
        made.begin_with(made.road.drain) if road.endswith("callback") else made.stop()
        made.let_go()
        if not road.endswith("callback"):
            made.ended.clear()
            made.begin_with(made.road.drain)
        moment = suspend()
        after = made.end_since(moment)
        assert made.error is None or isinstance(made.error, (alsamm.SuspendedError, alsamm.Underrun)), made.error
        outcome = "drained" if made.error is None else type(made.error).__name__
        keep_row("suspended while draining", road, place.name, outcome, after)
        assert after < SOON
