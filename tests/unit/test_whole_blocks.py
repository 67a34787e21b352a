"""How write_all and fill end, when they do not end well; and that nobody can make them late."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Generator, Iterator

import numpy as np
import pytest

import alsamm
from tests.busy import busy_thread
from tests.unit.conftest import Opener


@pytest.fixture
def handler() -> Iterator[list[float]]:
    """SIGUSR1 raises; when it did."""
    heard: list[float] = []

    def interrupt(number: int, frame: object) -> None:  # noqa: ARG001 -- signal's signature
        heard.append(time.monotonic())
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    yield heard
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("to", ["the process", "another thread"])
@pytest.mark.parametrize("what", ["write_all", "fill", "wait", "drain"])
def test_ctrl_c_is_answered(ring: Opener, handler: list[float], what: str, to: str) -> None:
    """Within 100 ms, also when the signal was handed to another thread and so did not end our sleep."""
    capture = what == "fill"
    out = ring("capture" if capture else "playback", clock="realtime", buffer_size=4096)
    block = np.zeros((10_000, 2), "i2")
    if not capture:
        out.write(block)
    if what in {"fill", "write_all"}:  # under way when the card stops; the others would be over
        out.start()
        time.sleep(0.003)
        out.card.freeze()
    else:
        out.card.freeze()
        out.start()
    sent: list[float] = []
    stop = threading.Event()
    idle = threading.Thread(target=stop.wait, daemon=True)
    idle.start()

    def strike() -> None:
        time.sleep(0.15)
        sent.append(time.monotonic())
        if to == "the process":
            os.kill(os.getpid(), signal.SIGUSR1)
        else:
            assert idle.ident
            signal.pthread_kill(idle.ident, signal.SIGUSR1)

    striker = threading.Thread(target=strike)
    striker.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            getattr(out, what)(*([block] if what in {"write_all", "fill"} else []), timeout=20)
    finally:
        striker.join()
        stop.set()
        idle.join()
    assert handler[0] - sent[0] < 0.1
    if what == "write_all":
        assert out.frames_done == out.appl_ptr - out.buffer_size
    if what == "fill":
        assert out.frames_done == out.appl_ptr


def test_a_wake_up_descriptor_that_was_set_hears_of_signals_too(ring: Opener, handler: list[float]) -> None:
    """asyncio's, for one."""
    out = ring(clock="realtime", buffer_size=512)
    reading, writing = os.pipe2(os.O_NONBLOCK)
    before = signal.set_wakeup_fd(writing)
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        out.write(np.zeros((512, 2), "i2"))
        out.card.freeze()
        out.start()
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            out.write_all(np.zeros((1000, 2), "i2"), timeout=20)
        assert os.read(reading, 100) == bytes([signal.SIGUSR1])
        assert signal.set_wakeup_fd(before) == writing
    finally:
        signal.set_wakeup_fd(before)
        timer.join()
        os.close(reading)
        os.close(writing)
    assert handler


@pytest.mark.parametrize("what", ["write_all", "fill"])
def test_an_unplugged_card_ends_it_and_the_count_is_right(ring: Opener, what: str) -> None:
    out = ring("capture" if what == "fill" else "playback", clock="realtime", start=True)
    pull = threading.Timer(0.1, out.card.unplug)
    pull.start()
    with pytest.raises(alsamm.DeviceLostError):
        getattr(out, what)(np.zeros((1 << 20, 2), "i2"))
    pull.join()
    assert 0 < out.frames_done < 48_000
    if what == "write_all":
        assert out.frames_done == out.status.hw_ptr + min(out.buffer_size, out.frames_done - out.status.hw_ptr)


def test_a_card_that_stands_still(ring: Opener) -> None:
    """Without a time limit it is a buffer and a second."""
    out = ring()
    out.write(np.zeros((1024, 2), "i2"))
    out.start()
    before = time.monotonic()
    with pytest.raises(TimeoutError, match="stands still; 0 of 10 frames"):
        out.write_all(np.zeros((10, 2), "i2"))
    assert 1 < time.monotonic() - before < 5


def test_other_threads_may_write_too(ring: Opener) -> None:
    """They have no signals to hear of."""
    out = ring(clock="realtime", start=True)
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(out.write_all(np.zeros((4800, 2), "i2"))))
    thread.start()
    thread.join(10)
    assert done == [4800]


@pytest.mark.parametrize("what", ["write_all", "fill"])
def test_the_card_is_asked_before_the_time_is_over(ring: Opener, what: str) -> None:
    """A process may be stopped, or the system asleep, for as long, after it looked: there is one look more."""
    out = ring("capture" if what == "fill" else "playback")
    if what == "write_all":
        out.write(np.zeros((out.buffer_size, 2), "i2"))
    out.start()
    out.card.advance(24)  # of which no interrupt told
    assert getattr(out, what)(np.zeros((24, 2), "i2"), timeout=0) == 24


@contextlib.contextmanager
def undisturbed_by_others() -> Generator[None]:
    """Real-time priority for this thread and the card's, where that is allowed: other processes on this machine are not
    what a case is about. It gets nobody the GIL sooner.
    """
    before = os.sched_getscheduler(0)
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    try:
        yield
    finally:
        os.sched_setscheduler(0, before, os.sched_param(0))


@pytest.mark.alone
def test_ten_seconds_beside_a_busy_thread(ring: Opener) -> None:
    """Two periods of 5 ms each, and a thread that wants the GIL all the time. A loop in Python loses a period
    at once; C comes back for nothing. A virtual machine's host may take the CPU away, so there are three tries.
    """

    def ten_seconds() -> int:
        out = ring(clock="realtime", period_size=240, buffer_size=480, start=True, xruns=True)
        try:
            return int(out.write_all(np.zeros((480_000, 2), "i2")))
        except alsamm.Underrun:
            return int(out.frames_done)

    with busy_thread(), undisturbed_by_others():
        written: list[int] = []
        while len(written) < 3 and 480_000 not in written:
            written.append(ten_seconds())
    assert written[-1] == 480_000, written
