"""What may happen to a stream at any time happens before each line of Python that a call runs, one after the other.

A close, an unplug, an xrun or a sleep that comes by chance (tests/kernel/test_faults_*.py) finds a call asleep as a
rule, and the lines between its sleeps once in a thousand runs.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm.alsalib import open_pcm
from alsamm.stream.calls import CallCapture, CallPlayback

OURS = str(Path(alsamm.__file__).parent)
PERIOD = 64
BLOCK = np.zeros((3 * PERIOD, 2), "<i2")
Call = Callable[[Any], object]


async def awaited_write(stream: Any) -> None:
    out = await stream.__aenter__()
    await out.write(BLOCK)
    await out.write(BLOCK)
    await out.ready()
    await out.drain()


async def awaited_read(stream: Any) -> None:
    await (await stream.__aenter__()).read(len(BLOCK))


PLAYBACK: dict[str, Call] = {
    "write": lambda stream: stream.write(BLOCK),
    "write_available": lambda stream: stream.write_available(BLOCK),
    "periods": lambda stream: list(stream.periods(3)),
    "wait": lambda stream: (stream.write_available(BLOCK[:200]), stream.ring.wait()),
    "drain": lambda stream: (stream.write(BLOCK), stream.drain()),
    "again": lambda stream: (stream.write(BLOCK), stream.drop(), stream.prepare(), stream.write(BLOCK)),
    "start": lambda stream: (stream.write(BLOCK), stream.start(), stream.time(), stream.delay, stream.stats),
    "await": lambda stream: asyncio.run(awaited_write(stream)),
    "view": lambda stream: (stream.ring.next_view(PERIOD), stream.ring.commit(PERIOD), stream.ring.hwsync()),
}
CAPTURE: dict[str, Call] = {
    "read": lambda stream: stream.read(len(BLOCK)),
    "read_available": lambda stream: (stream.start(), stream.wait(), stream.read_available()),
    "periods": lambda stream: [np.array(block) for block in stream.periods(3)],
    "again": lambda stream: (stream.read(), stream.drop(), stream.prepare(), stream.read()),
    "await": lambda stream: asyncio.run(awaited_read(stream)),
    "drain": lambda stream: (stream.read(), stream.ring.drain(), stream.prepare()),
    "start": lambda stream: (stream.start(), stream.time(), stream.stats, stream.ring.hwsync()),
}


def both_turn(io: Any) -> None:
    for heard, played in io.periods(3):
        played[:] = heard


async def both_are_awaited(io: Any) -> None:
    async for heard, played in (await io.__aenter__()).periods(3):
        played[:] = heard


DUPLEX: dict[str, Call] = {
    "periods": both_turn,
    "exchange": lambda io: io.exchange(BLOCK),
    "await": lambda io: asyncio.run(both_are_awaited(io)),
    "start": lambda io: (io.start(), io.offset, io.drift_ppm, repr(io), io.drain()),
}
CALLS = {
    **{f"playback-{name}": call for name, call in PLAYBACK.items()},
    **{f"capture-{name}": call for name, call in CAPTURE.items()},
}


def begin_to_close(stream: Any) -> None:
    """As far as ``close`` of a ring, or of what stands on alsa-lib, is when the card has stopped."""
    stream.ring._closed = True
    stream.pcm.drop()


CLOSES: dict[str, Call] = {"closing": begin_to_close, "closed": lambda stream: stream.close()}


class BeforeLine:
    """Runs a call, and does something to the stream before the line of that number, in another thread.

    A line counts twice at the most, that of a loop that waits.
    """

    def __init__(self, stream: Any, number: int, event: Call) -> None:
        self.stream, self.left, self.event, self.place = stream, number, event, ""
        self.seen: Counter[tuple[str, int]] = Counter()

    def run(self, call: Call) -> BaseException | None:
        before = sys.gettrace()
        sys.settrace(self.enter)
        try:
            call(self.stream)
        except Exception as error:  # noqa: BLE001 -- whatever it is
            return error
        finally:
            sys.settrace(before)
        return None

    def enter(self, frame: FrameType, event: str, argument: object) -> Any:
        del event, argument
        return self.line if frame.f_code.co_filename.startswith(OURS) else None

    def line(self, frame: FrameType, event: str, argument: object) -> Any:
        del argument
        place = (frame.f_code.co_filename, frame.f_lineno)
        if event == "line" and not self.place and self.seen[place] < 2:
            self.seen[place] += 1
            self.left -= 1
            if self.left < 0:
                self.place = f"{Path(place[0]).name}:{place[1]}"
                other = threading.Thread(target=self.event, args=(self.stream,))
                other.start()
                other.join()
        return self.line


def before_every_line(opened: Callable[[], Any], call: Call, event: Call, end: Call, told: Any) -> None:
    """``told``: the class of what the call may raise then; () for nothing."""
    number = raised = 0
    wrong: list[str] = []
    while True:
        stream = opened()
        line = BeforeLine(stream, number, event)
        error = line.run(call)
        end(stream)
        if not line.place:
            break
        if isinstance(error, told):
            raised += 1
        elif error is not None:
            wrong.append(f"{line.place}: {error!r}")
        number += 1
    assert error is None, repr(error)
    assert not wrong, f"{len(wrong)} of {number}:\n" + "\n".join(wrong)
    assert raised > 10 if told else number > 10


@pytest.fixture(autouse=True)
def nobody_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is in a call stands still while it is closed."""
    monkeypatch.setattr(open_pcm, "_LEAVING", 0)


@pytest.fixture
def card() -> Iterator[sim.Card]:
    with sim.Card("lines", clock="auto", record=False) as made:
        yield made


def opened_by(card: sim.Card, road: str, call: str) -> Callable[[], Any]:
    opener: Callable[..., Any] = alsamm.playback if call.startswith("playback") else alsamm.capture
    return lambda: opener(
        "null" if road == "alsa-lib" else card.device,
        rate=48_000,
        period_size=PERIOD,
        buffer_size=4 * PERIOD,
        nearest=True,
        force_sync_ptr=road == "SYNC_PTR",
    )


@pytest.mark.parametrize("close", CLOSES)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("road", ["mapped", "SYNC_PTR", "alsa-lib"])
def test_closed(card: sim.Card, road: str, call: str, close: str) -> None:
    def end(stream: Any) -> None:
        if close == "closing":
            stream.ring._closed = False  # so that it closes after all
        stream.close()

    before_every_line(opened_by(card, road, call), CALLS[call], CLOSES[close], end, alsamm.ClosedError)


@pytest.mark.parametrize("event", ["closed", "unplugged", "an_xrun", "a_sleep"])
@pytest.mark.parametrize("call", DUPLEX)
def test_a_duplex(card: sim.Card, call: str, event: str) -> None:
    def happens(io: Any) -> None:
        if event == "closed":
            io.close()
        elif event == "unplugged":
            card.unplug()
        else:
            EVENTS[event](card, "playback")

    def end(io: Any) -> None:
        io.close()
        card.replug()

    told: Any = {"closed": alsamm.ClosedError, "unplugged": alsamm.DeviceLostError}.get(event, ())
    if (call, event) == ("start", "a_sleep"):
        told = alsamm.SuspendedError
    before_every_line(
        lambda: alsamm.duplex(card.device, rate=48_000, period_size=PERIOD, buffer_size=4 * PERIOD, nearest=True),
        DUPLEX[call],
        happens,
        end,
        told,
    )


QUESTIONS: tuple[Call, ...] = (
    lambda ring: ring.avail(),
    lambda ring: ring.position(),
    lambda ring: ring.frame,
    lambda ring: ring.state,
    lambda ring: ring.delay(),
    lambda ring: ring.hwsync(),
    lambda ring: ring.interruptions,
    lambda ring: ring.next_view(PERIOD),
    lambda ring: ring.commit(0),
    lambda ring: ring.wait(0),
    lambda ring: ring.write(BLOCK) if hasattr(ring, "write") else ring.read_into(BLOCK.copy()),
    repr,
)


def ask(stream: Any) -> None:
    for question in QUESTIONS:
        with suppress(alsamm.AlsaError, TimeoutError):
            question(stream.ring)


@pytest.mark.parametrize("direction", ["playback", "capture"])
@pytest.mark.parametrize("road", ["mapped", "SYNC_PTR", "alsa-lib"])
def test_asked_while_it_closes(card: sim.Card, road: str, direction: str) -> None:
    """A page was unmapped before its address was forgotten: a crash, in one of thirty closes beside a busy thread."""

    def started() -> Any:
        stream = opened_by(card, road, direction)()
        if direction == "playback":
            stream.write_available(BLOCK)
        stream.start()
        return stream

    before_every_line(started, lambda stream: stream.close(), ask, lambda _: None, ())


@pytest.mark.parametrize("call", CALLS)
def test_unplugged(card: sim.Card, call: str) -> None:
    def end(stream: Any) -> None:
        stream.close()
        card.replug()

    before_every_line(
        opened_by(card, "mapped", call), CALLS[call], lambda _: card.unplug(), end, alsamm.DeviceLostError
    )


def an_xrun(card: sim.Card, direction: str) -> None:
    with suppress(alsamm.StateError):  # it did not run
        card.xrun(direction)


def a_sleep(card: sim.Card, direction: str) -> None:
    del direction
    card.suspend()
    card.resume_power()


EVENTS = {"an_xrun": an_xrun, "a_sleep": a_sleep}
TOLD = {
    "playback-start": (alsamm.XrunError, alsamm.SuspendedError),
    "playback-view": alsamm.SuspendedError,
    "playback-wait": alsamm.SuspendedError,
    "capture-start": (alsamm.XrunError, alsamm.SuspendedError),
    "capture-read_available": alsamm.SuspendedError,
    "capture-drain": alsamm.SuspendedError,
}
"""By ``start`` and by the ring's own calls, which recover from nothing. All else goes on."""


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("call", CALLS)
def test_interrupted(card: sim.Card, call: str, event: str) -> None:
    told = TOLD.get(call, ()) if event == "a_sleep" or call.endswith("start") else ()
    direction = call.split("-", maxsplit=1)[0]
    before_every_line(
        opened_by(card, "mapped", call),
        CALLS[call],
        lambda _: EVENTS[event](card, direction),
        lambda stream: stream.close(),
        told,
    )


def configured(pcm: alsamm.PCM) -> object:
    hw = alsamm.HwParams(pcm)
    told = [repr(hw), hw.allows(rate=3), hw.nearest(rate=44_100), hw.at_least(channels=2), hw.smallest("buffer_size")]
    granted = pcm.setup(period_size=PERIOD, buffer_size=4 * PERIOD, access=alsamm.Access.RW_INTERLEAVED)
    told += [granted.rate, repr(granted), pcm.info, repr(pcm), pcm.sw_params(), pcm.hw_params(), pcm.status()]
    told += [pcm.poll_descriptors(), pcm.fileno(), pcm.avail()]
    pcm.hw_free()
    return told


@pytest.mark.parametrize("road", ["kernel", "alsa-lib"])
def test_a_pcm_closed(card: sim.Card, road: str) -> None:
    """alsa-lib would use memory that is freed: a crash, once in a while."""
    name = "null" if road == "alsa-lib" else card.device
    before_every_line(
        lambda: alsamm.PCM(name, "playback"), configured, alsamm.PCM.close, alsamm.PCM.close, alsamm.ClosedError
    )


@pytest.mark.parametrize("direction", ["playback", "capture"])
@pytest.mark.parametrize("what", ["all", "wait"])
def test_stopped(card: sim.Card, direction: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-Z and fg, or a night: what was looked at before says nothing of a card that stands still."""
    passed = 0.0
    kind = CallPlayback if direction == "playback" else CallCapture
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + passed)

    def opened() -> Any:
        pcm = alsamm.PCM(card.device, direction, blocking=False)
        pcm.setup(access=alsamm.Access.RW_INTERLEAVED, period_size=PERIOD, buffer_size=4 * PERIOD)
        if what == "wait":  # not for what is there already
            if direction == "playback":
                pcm.writei(np.zeros((4 * PERIOD, 2), "<i2"))
            else:
                pcm.start()
        return kind(pcm)

    def stop(_: Any) -> None:
        nonlocal passed
        passed += 10
        card.advance(480_000)

    def call(io: Any) -> object:
        if what == "wait":
            return io.device.wait()
        if direction == "capture":
            return io.fill(np.zeros((6 * PERIOD, 2), "<i2"), recover=True)
        return io.write_all(np.zeros((6 * PERIOD, 2), "<i2"), recover=True)

    told = alsamm.XrunError if what == "wait" else ()
    before_every_line(opened, call, stop, lambda io: io.device.close(), told)
