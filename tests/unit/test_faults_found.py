"""Faults found by trying to break streams (tests/kernel/test_faults*.py), each with the case that showed it."""

from __future__ import annotations

import asyncio
import os
import selectors
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm._c import lib
from alsamm.direct.signals import SignalFd
from tests.kernel.faultkit import no_descriptors
from tests.unit.native_callbacks import ramp, slow
from tests.unit.test_aio import longest_hold


@pytest.fixture
def card() -> Iterator[sim.Card]:
    with sim.Card("found", clock="realtime", loop=True) as made:
        yield made


def test_an_abort_ends_a_drain_of_long_periods_at_once(card: sim.Card) -> None:
    """The C thread looked whether it is to stop between two naps of half a period."""
    user = np.array([1 << 40, 0])
    sizes: dict[str, Any] = {"format": "S16_LE", "period_size": 96_000, "buffer_size": 192_000}
    stream = alsamm.Stream(ramp, card.device, kind="playback", user=user, **sizes)
    stream.start()
    time.sleep(0.1)
    with pytest.raises(TimeoutError):
        stream.stop(0.1)
    began = time.monotonic()
    stream.abort()
    assert time.monotonic() - began < 0.5
    stream.close()


def test_a_duplex_in_asyncio_sleeps_without_the_loop(card: sim.Card) -> None:
    async def work() -> None:
        async with alsamm.duplex(card.device, channels=1, period_size=480, buffer_size=4800) as io:
            turns = io.periods()
            await turns.__anext__()
            card.suspend()
            asyncio.get_running_loop().call_later(0.6, card.resume_power)

            async def some() -> None:
                for _ in range(20):
                    await turns.__anext__()

            assert await longest_hold(some) < 0.3
            assert io.stream.playback.stats.suspends == 1

    asyncio.run(asyncio.wait_for(work(), 20))


def test_a_duplex_in_asyncio_that_stays_asleep(card: sim.Card) -> None:
    async def work() -> None:
        async with alsamm.duplex(card.device, channels=1, period_size=480, buffer_size=4800) as io:
            turns = io.periods()
            await turns.__anext__()
            card.suspend()

            async def some() -> None:
                for _ in range(20):
                    await turns.__anext__()

            async def fail() -> None:
                with pytest.raises(alsamm.SuspendedError):
                    await some()

            assert await longest_hold(fail) < 0.3
            card.resume_power()

    asyncio.run(asyncio.wait_for(work(), 20))


@pytest.mark.parametrize("where", ["here", "in another thread"])
def test_closing_the_stream_below_ends_a_tasks_wait(card: sim.Card, where: str) -> None:
    async def work() -> None:
        stream = alsamm.capture(card.device, channels=1, period_size=48_000, buffer_size=192_000)
        mic = await stream.__aenter__()
        reading = asyncio.ensure_future(mic.read(100_000))
        await asyncio.sleep(0.1)
        began = time.monotonic()
        if where == "here":
            mic.stream.close()
        else:
            threading.Thread(target=stream.close).start()
        with pytest.raises(alsamm.ClosedError):
            await reading
        assert time.monotonic() - began < 0.5

    asyncio.run(asyncio.wait_for(work(), 20))


def test_a_wait_that_begins_on_a_number_that_was_just_closed(card: sim.Card) -> None:
    """Another thread closes between the look at the descriptors and the loop's own."""

    async def work() -> None:
        stream = alsamm.capture(card.device, channels=1, period_size=48_000, buffer_size=192_000)
        mic = await stream.__aenter__()
        descriptors = stream.pcm.poll_descriptors()
        stream.start()
        stream.pcm.poll_descriptors = lambda: stream.close() or descriptors  # type: ignore[method-assign, func-returns-value]
        with pytest.raises(alsamm.ClosedError):
            await mic.ready()

    asyncio.run(asyncio.wait_for(work(), 20))


SIZES: dict[str, Any] = {"format": "S16_LE", "period_size": 480, "buffer_size": 4_800}


@pytest.mark.parametrize("end", ["close", "abort", "stop", "__exit__"])
@pytest.mark.parametrize("whose", ["Python", "C"])
def test_close_does_not_wait_for_ever_for_a_callback_that_does_not_return(card: sim.Card, whose: str, end: str) -> None:
    free, inside = threading.Event(), threading.Event()

    def block(*_: object) -> None:
        inside.set()
        free.wait()

    user = np.array([0, 0])
    stream = (
        alsamm.Stream(block, card.device, kind="playback", **SIZES)
        if whose == "Python"
        else alsamm.Stream(slow, card.device, kind="playback", user=user, **SIZES)
    )
    stream.start()
    while not (inside.is_set() or user[1] == 1):
        time.sleep(0.01)
    nothing = (None, None, None) if end == "__exit__" else ()
    closing = threading.Thread(
        target=lambda: _raises_timeout(lambda: getattr(stream, end)(*nothing), raised), daemon=True
    )
    raised: list[BaseException] = []
    closing.start()
    closing.join(10)
    hangs = closing.is_alive()
    free.set()
    user[1] = 2
    closing.join()
    assert not hangs
    assert isinstance(raised[0], TimeoutError)
    stream.close()  # it has returned meanwhile
    alsamm.PCM(card.device, "playback").close()


def _raises_timeout(call: Callable[[], None], raised: list[BaseException]) -> None:
    try:
        call()
    except BaseException as error:  # noqa: BLE001 -- what the case is about
        raised.append(error)


def test_a_write_needs_no_descriptor(card: sim.Card) -> None:
    """The pipe by which C hears of signals was made in the first write that waits: EMFILE in the middle of a stream."""
    SignalFd.after_fork()  # as in a new process
    with alsamm.playback(card.device, **SIZES) as out, no_descriptors():
        assert out.write(np.zeros((9_600, 2), "<i2")) == 9_600


def test_closing_leaves_a_file_alone_that_has_got_our_number(card: sim.Card) -> None:
    """Who closes descriptors that are not his (os.closerange) gives our number to the next file that is opened."""
    pcm = alsamm.PCM(card.device, "playback")
    pcm.setup(period_size=480, buffer_size=4_800)
    ring = alsamm.MmapPlayback(pcm)
    number = int(ring._ring.pages.fd)
    with tempfile.TemporaryFile() as other:
        os.dup2(other.fileno(), number)
        ring.close()
        pcm.close()
        assert os.fstat(number).st_ino == os.fstat(other.fileno()).st_ino
        os.close(number)
    alsamm.PCM(card.device, "playback").close()


def test_closing_what_somebody_closed(card: sim.Card) -> None:
    pcm = alsamm.PCM(card.device, "playback")
    pcm.setup(period_size=480, buffer_size=4_800)
    ring = alsamm.MmapPlayback(pcm)
    os.close(int(ring._ring.pages.fd))
    with pytest.raises(alsamm.ClosedError, match="somebody"):
        ring.hwsync()
    with pytest.raises(alsamm.ClosedError, match="somebody"):
        ring.write_all(np.zeros((48_000, 2), "<i2"))
    ring.close()
    pcm.close()
    alsamm.PCM(card.device, "playback").close()


def test_a_write_by_alsa_lib_loads_no_module() -> None:
    """The first one loaded numpy.ma, from a disk that may be asleep."""
    code = """if True:
        import sys
        import numpy as np, alsamm
        with alsamm.playback("null") as out:
            before = set(sys.modules)
            out.write(np.zeros((480, 2), "<i2"))
            print(sorted(set(sys.modules) - before))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_closing_beside_a_thread_in_alsa_lib() -> None:
    """snd_pcm_close freed the PCM under who was in snd_pcm_wait: a crash (plughw, in the lab)."""
    pcm = alsamm.PCM("null", "playback", blocking=False)
    opened = pcm._open
    inside, leave = threading.Event(), threading.Event()
    seen: list[Any] = []

    def stay(handle: Any) -> int:
        inside.set()
        leave.wait(10)
        seen.append((lib.snd_pcm_state(handle), opened._leaving))
        return 0

    caller = threading.Thread(target=opened.call, args=(stay,))
    caller.start()
    inside.wait(10)
    pcm.close()
    with pytest.raises(alsamm.ClosedError):
        opened.call(lib.snd_pcm_state)
    leave.set()
    caller.join(10)
    ((state, leaving),) = seen
    assert state == alsamm.State.OPEN
    assert leaving is not None  # not freed while it was inside
    assert opened._leaving is None


def test_the_number_of_a_ring_that_is_closed_beside_c_is_nobody_elses_until_c_is_out(card: sim.Card) -> None:
    """A thread in C that has read the number was left to use it, whoever had it by then."""
    pcm = alsamm.PCM(card.device, "playback")
    pcm.setup(period_size=48_000, buffer_size=96_000)
    ring = alsamm.MmapPlayback(pcm)
    number = int(ring._ring.pages.fd)
    ended: list[BaseException] = []

    def write() -> None:
        try:
            ring.write_all(np.zeros((480_000, 2), "<i2"))
        except BaseException as error:  # noqa: BLE001 -- what the case is about
            ended.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.2)
    ring._under_way += 1  # as long as this, somebody is in C
    ring.close()
    taken = [os.open("/dev/null", os.O_RDONLY) for _ in range(64)]
    assert number not in taken
    pcm.close()
    writer.join(10)
    assert not writer.is_alive()
    assert isinstance(ended[0], alsamm.ClosedError)
    for fd in taken:
        os.close(fd)


class Stopped(selectors.DefaultSelector):
    """As epoll after kill -STOP and -CONT: EINTR, and no time left in which to look at what is ready."""

    for_seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        seconds, self.for_seconds = self.for_seconds, 0.0
        if seconds:
            time.sleep(seconds)
            return []
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
        return ready


def test_a_loop_that_was_stopped_for_longer_than_a_card_may_stand_still(card: sim.Card) -> None:
    selector = Stopped()

    async def work() -> None:
        async with alsamm.playback(card.device, **SIZES) as out:
            await out.write(np.zeros((4_800, 2), "<i2"))
            asyncio.get_running_loop().call_soon(setattr, selector, "for_seconds", 1.6)
            await out.write(np.zeros((9_600, 2), "<i2"))
            assert out.stream.stats.xruns == card.playback.xruns == 1

    loop = asyncio.SelectorEventLoop(selector)
    try:
        loop.run_until_complete(asyncio.wait_for(work(), 20))
    finally:
        loop.close()


def test_a_write_by_calls_that_was_stopped_for_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    by_calls = sim.Card("calls", clock="realtime", accesses=["RW_INTERLEAVED"])
    with by_calls, alsamm.playback(by_calls.device, **SIZES) as out:
        wait = out.pcm.wait

        def stopped(timeout: float) -> None:
            monkeypatch.undo()
            time.sleep(1.6)
            wait(timeout)

        monkeypatch.setattr(out.pcm, "wait", stopped)
        assert out.write(np.zeros((14_400, 2), "<i2")) == 14_400
        assert out.stats.xruns == by_calls.playback.xruns == 1
