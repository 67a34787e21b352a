"""Threads beside the one that owns a stream: what may be read by anybody, and what misuse comes to.

What a lock or a version count protects is shown by a case that fails without it.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm._c import lib

READERS = 4
ROADS: dict[str, dict[str, Any]] = {"mapped": {}, "SYNC_PTR": {"refuse_status": True, "refuse_control": True}}
SIZES: dict[str, Any] = {"channels": 2, "period_size": 240, "buffer_size": 960}


@pytest.fixture(autouse=True)
def often() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(params=ROADS)
def card(request: pytest.FixtureRequest) -> Iterator[sim.Card]:
    with sim.Card("threads", clock="realtime", speed=4, **ROADS[request.param]) as made:
        yield made


@contextlib.contextmanager
def readers(*reads: Callable[[], None]) -> Generator[None]:
    """Four threads that call these over and over while the block runs; what one of them raises is raised at its end."""
    ended, problems = threading.Event(), list[BaseException]()
    rounds = [0] * READERS

    def read(number: int) -> None:
        try:
            while not ended.is_set():
                for call in reads:
                    call()
                rounds[number] += 1
        except BaseException as error:  # noqa: BLE001 -- told below
            problems.append(error)

    threads = [threading.Thread(target=read, args=(n,)) for n in range(READERS)]
    for thread in threads:
        thread.start()
    try:
        yield
        end = time.monotonic() + 20
        while not problems and min(rounds) < 20 and time.monotonic() < end:
            time.sleep(0.001)
    finally:
        ended.set()
        for thread in threads:
            thread.join(20)
    if problems:
        raise problems[0]
    assert min(rounds) >= 20, "they have read little"


def never_back(read: Callable[[], Any]) -> Callable[[], None]:
    """Of a thread's own answers none is less than the one before."""
    seen = threading.local()

    def look() -> None:
        last, now = getattr(seen, "last", None), read()
        assert last is None or now >= last, f"{now} after {last}"
        seen.last = now

    return look


# ---- readers beside one writer ----


def test_status_and_control_beside_a_writer(card: sim.Card) -> None:
    with alsamm.PCM(card.device, "playback") as pcm:
        pcm.setup(**SIZES)
        sw = pcm.sw_params()
        sw.stop_threshold = sw.boundary  # an xrun would take the pointers back to 0
        pcm.configure(sw=sw)
        with alsamm.MmapPlayback(pcm) as ring, alsamm.Status(pcm) as status, alsamm.Control(pcm) as control:

            def look() -> None:
                assert status.state in (alsamm.State.PREPARED, alsamm.State.RUNNING, alsamm.State.XRUN)
                assert 0 <= status.hw_ptr < ring.boundary
                assert ring.status.htstamp_ns >= 0
                snapshot = ring.snapshot()
                assert 0 <= snapshot.appl_ptr < ring.boundary

            with readers(look, never_back(lambda: control.appl_ptr), never_back(lambda: status.hw_ptr)):
                ring.write_all(np.zeros((60_000, 2), "i2"))
            ring.drop()


@pytest.mark.parametrize("kind", ["playback", "capture"])
def test_a_stream_beside_its_owner(card: sim.Card, kind: str) -> None:
    """With an xrun now and then; every answer is one that the stream could have given."""
    with getattr(alsamm, kind)(card.device, **SIZES) as stream:

        def look() -> None:
            stats = stream.stats
            assert 0 <= stats.queued <= stream.buffer_size
            assert stats.lost >= 0
            assert not stream.closed
            assert kind in repr(stream).lower()
            with contextlib.suppress(alsamm.StateError):  # of a clock that was never asked for
                now = time.monotonic_ns()
                assert abs(stream.time_at(stream.frame_at(now)) - now) < 1e9
            assert 0 <= stream.clock.jitter_ns < 1e9
            for what in stream.interruptions:
                assert what.frame <= what.resumed

        with readers(
            look,
            never_back(lambda: stream.time().frame),
            never_back(lambda: stream.time().time_ns),
            never_back(lambda: stream.stats.frames),
            never_back(lambda: stream.stats.xruns),
            never_back(lambda: stream.stats.lost),
        ):
            block = np.zeros((4_800, 2), "i2")
            for _ in range(12):
                stream.write(block) if kind == "playback" else stream.read(out=block)
                with contextlib.suppress(alsamm.StateError):
                    card.xrun(kind)
        assert stream.stats.xruns > 1


def test_duplex_beside_its_owner(card: sim.Card) -> None:
    card.loop = True
    with alsamm.duplex(card.device, channels=2, period_size=480, buffer_size=9_600) as io:

        def look() -> None:
            assert 0 <= io.playback.stats.queued <= io.playback.buffer_size

        with readers(look, never_back(io.playback.time), never_back(io.capture.time)):
            for heard, played in io.periods(100):
                played[:] = heard


# ---- what is changed while it is read ----


def test_numbers_and_interruptions_while_the_owner_recovers() -> None:
    """Recovery is C's, without the GIL: numbers have a version, and a slot that is written is not told."""
    with sim.Card("recovers") as card, alsamm.PCM(card.device, "playback") as pcm:
        pcm.setup(**SIZES)
        with alsamm.MmapPlayback(pcm) as ring:

            def look() -> None:
                told = ring.interruptions
                frames = [what.frame for what in told]
                assert frames == sorted(frames), frames
                for what in told:
                    assert what.resumed - what.frame == what.lost == SIZES["buffer_size"]

            block = np.zeros((SIZES["buffer_size"], 2), "i2")
            with readers(look, never_back(lambda: ring.frame), never_back(lambda: ring.position().frame)):
                for _ in range(3_000):
                    ring.write(block)
                    card.xrun()
                    ring.recover()
            assert ring.frame == 3_000 * SIZES["buffer_size"]


@pytest.mark.parametrize("what", ["frame", "position"])
def test_a_reader_waits_while_the_numbers_change(what: str) -> None:
    """Between PREPARE, which takes appl_ptr back to 0, and the anchor that makes up for it."""
    with sim.Card("between") as card, alsamm.PCM(card.device, "playback") as pcm:
        pcm.setup(**SIZES)
        with alsamm.MmapPlayback(pcm) as ring:
            ring.write(np.zeros((600, 2), "i2"))
            if ring.state is alsamm.State.RUNNING:
                ring.drop()
            answers: list[int] = []
            reader = threading.Thread(
                target=lambda: answers.append(ring.frame if what == "frame" else ring.position().frame)
            )
            anchor = ring._ring.anchor
            anchor.version |= 1  # as direct_unanchor
            ring._op(lib.ALSAMM_PREPARE, "SNDRV_PCM_IOCTL_PREPARE")
            reader.start()
            reader.join(0.1)
            assert not answers
            anchor.frame, anchor.pointer = 600, 0  # as direct_anchor
            anchor.version += 1
            reader.join(20)
            assert answers == [600]


def test_the_slot_that_is_written_next_is_not_told() -> None:
    """Who recovers may be writing it just now."""
    with sim.Card("slots") as card, alsamm.PCM(card.device, "playback") as pcm:
        pcm.setup(**SIZES)
        with alsamm.MmapPlayback(pcm) as ring:
            block = np.zeros((SIZES["buffer_size"], 2), "i2")
            for n in range(40):
                ring.write(block)
                card.xrun()
                ring.recover()
                ring._ring.interruptions[(n + 1) % lib.ALSAMM_INTERRUPTION_SLOTS].frame = -1
                told = [what.frame for what in ring.interruptions]
                assert told == [k * SIZES["buffer_size"] for k in range(max(0, n - 15), n + 1)]


class OneAtATime:
    """Stands for an object whose calls must not overlap, and takes long for each."""

    def __init__(self, real: Any) -> None:
        self.__dict__.update(_real=real, _inside=0)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.__dict__["_real"], name)
        return self._watch(found) if callable(found) else found

    def __copy__(self) -> Any:
        return self._watch(lambda: self.__dict__["_real"])()

    def _watch(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any) -> Any:
            assert not self.__dict__["_inside"], "two threads at a time"
            self.__dict__["_inside"] = 1
            try:
                time.sleep(0.0005)
                return call(*arguments)
            finally:
                self.__dict__["_inside"] = 0

        return watched


@pytest.mark.parametrize("what", ["time", "frame_at", "time_at", "clock"])
def test_the_clock_model_has_one_user_at_a_time(card: sim.Card, what: str) -> None:
    """ClockModel is for one thread at a time; the stream's lock makes it so for everybody."""
    reads: dict[str, Callable[[Any], Any]] = {
        "time": lambda out: out.time(),
        "frame_at": lambda out: out.frame_at(time.monotonic_ns()),
        "time_at": lambda out: out.time_at(1000.0),
        "clock": lambda out: (out.time(), out.clock.ppm),
    }
    with alsamm.playback(card.device, **SIZES) as out:
        out.write(np.zeros((2_400, 2), "i2"))
        out.time()
        watched: Any = OneAtATime(out._clock)
        out._clock = watched
        with readers(lambda: reads[what](out)):
            out.write(np.zeros((12_000, 2), "i2"))


@pytest.mark.parametrize("first", ["place", "jump"])
def test_the_clock_does_not_take_a_jump_for_time(first: str) -> None:
    """A recovery between two looks of one ``time()``: the model begins a new line there, whichever came first."""
    with sim.Card("jumps", clock="auto") as card, alsamm.playback(card.device, **SIZES) as out:
        out.write(np.zeros((4_800, 2), "i2"))
        for _ in range(40):
            out.time()
            out.write(np.zeros((240, 2), "i2"))
        real = out._io.position
        lines: list[str] = []

        def owner_recovers_meanwhile() -> Any:
            place = real()
            if not lines:
                lines.append("now")
                card.xrun()
                card.advance(48_000)  # a second passes, in which the card stands still
                out.write(np.zeros((2_400, 2), "i2"))
                if first == "jump":
                    place = real()
            return place

        out._io.position = owner_recovers_meanwhile  # type: ignore[method-assign]
        out.time()
        for _ in range(3):
            out.time()
            out.write(np.zeros((240, 2), "i2"))
        last = out.time()
        assert abs(out._clock.frame_at(last.time_ns) - last.frame) < 5
        assert abs(out.clock.ppm) < 100


# ---- two owners ----


@pytest.mark.alone  # the two must meet
@pytest.mark.parametrize("direction", ["playback", "capture"])
@pytest.mark.parametrize("what", ["whole", "quick", "prepare", "close"])
def test_two_threads_on_one_ring_lose_frames_and_nothing_else(direction: str, what: str) -> None:
    """Misuse. One of the two is told (StateError); the process lives, and so does what it owns."""
    script = Path(__file__).with_name("two_owners.py")
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", script, direction, what],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ended")
    assert {"StateError", "ClosedError"} <= set(done.stdout.split())
