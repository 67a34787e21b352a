"""A stream under way that a fault is tried on, what must be left over of it (nothing), and the table of what happened.

The devices are software cards on the host and the lab's in a guest. Times are told in buffers of the stream.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import re
import resource
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import alsamm
from alsamm import sim
from alsamm.direct.signals import SignalFd
from alsamm.enums import State
from tests.kernel.faultroads import BUFFER, RATE, ROADS, Road

__all__ = ["ROWS", "Course", "Place", "Traces", "buffers", "course", "keep_row", "no_descriptors", "starve", "until"]

BUFFER_SECONDS = BUFFER / RATE
SOON = 4.0
"""Buffers in which a fault must be told: less than the patience with a card that stands still, one and a second.

Much more than it takes, for an emulated machine is late.
"""
PATIENCE = 60.0
"""Seconds after which a case has hung."""

ROWS: list[dict[str, str]] = []
"""What happened: a row for each case."""


def buffers(seconds: float) -> float:
    """So many buffers of the stream."""
    return seconds / BUFFER_SECONDS


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> None:
    """Wait for what must come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not in {seconds} s: {what}"
        time.sleep(0.002)


@dataclass
class Place:
    """A card and its PCMs."""

    name: str
    playback: str | None
    capture: str | None
    card: str = ""
    plug: str = ""
    """QEMU's device, where it can be pulled."""
    software: sim.Card | None = None

    @classmethod
    def of_lab(cls, name: str, facts: dict[str, Any]) -> Place:
        """By the facts of devices.json; the first substream by name, for the next one would be free (see README.md)."""
        playback, capture = (facts[way] and f"{facts[way]},SUBDEV=0" for way in ("playback", "capture"))
        return cls(name, playback, capture, card=facts["card"], plug=facts.get("plug", ""))

    def pcm(self, direction: str) -> str:
        """The PCM's name."""
        name = self.playback if direction == "playback" else self.capture
        assert name is not None, f"{self.name} has no {direction}"
        return name

    @property
    def is_there(self) -> bool:
        """Whether the kernel lists the card."""
        return self.software is not None or Path(f"/proc/asound/{self.card}").exists()

    def states(self) -> list[str]:
        """What the kernel says of every substream of the card: ``closed``, for all that nobody has open."""
        if self.software is not None:
            return []
        found = Path(f"/proc/asound/{self.card}").resolve().glob("pcm*/sub*/status")
        return sorted({path.read_text().split("\n")[0] for path in found})

    def plays(self, direction: str = "playback") -> None:
        """It can be opened at once, and moves."""
        opener: Callable[..., Any] = alsamm.playback if direction == "playback" else alsamm.capture
        with opener(self.pcm(direction), rate=RATE, period_size=1024, buffer_size=8192, nearest=True) as stream:
            if direction == "playback":
                for block in stream.periods(12):
                    block[...] = 0
            else:
                stream.read(4096)

    def is_free(self) -> None:
        """Nobody has it: the kernel says so, and it opens at once."""
        assert set(self.states()) <= {"closed"}, self.states()
        for way, name in (("playback", self.playback), ("capture", self.capture)):
            if name is not None:
                alsamm.PCM(name, way).close()


@dataclass
class Traces:
    """What this process holds: descriptors, maps of PCMs, threads."""

    files: list[str] = field(default_factory=list)
    maps: list[str] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)

    @classmethod
    def of_now(cls) -> Traces:
        """As /proc/self tells it."""
        gc.collect()
        files = []
        for path in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # the listing's own
                files.append(re.sub(r"\[\d+\]", "", str(path.readlink())))
        maps = [line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if _is_of_a_card(line)]
        threads = []
        for path in Path("/proc/self/task").iterdir():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                threads.append((path / "comm").read_text())
        return cls(sorted(files), sorted(maps), sorted(threads))

    def are_left(self) -> None:
        """Nothing was added to them: fds, maps, threads. A thread that was joined may take a moment to be gone."""
        end = time.monotonic() + 5
        while (more := Traces.of_now().beyond(self)) and time.monotonic() < end:
            time.sleep(0.01)
        assert not more, f"left over: {more}"

    def beyond(self, before: Traces) -> list[str]:
        """What is there that was not there before."""
        now, then = (Counter([*one.files, *one.maps, *one.threads]) for one in (self, before))
        return sorted((now - then).elements())


def _is_of_a_card(line: str) -> bool:
    return "/dev/snd/" in line or "memfd:alsamm" in line


class Course:
    """A road that a thread of its own keeps going, until it is stopped or a fault ends it."""

    def __init__(self, place: Place, road: str, direction: str = "playback", *, recover: bool = True) -> None:
        self.place, self.name, self.direction = place, road, direction
        self.road: Road = ROADS[road](place.pcm(direction), direction, recover=recover)
        self._xruns_before = self._xruns_of_card()
        self.error: BaseException | None = None
        self.ended_at = 0.0
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self.road.serve,), name="course", daemon=True)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 -- whatever it is, it is what the case is about
            self.error = error
        self.ended_at = time.monotonic()
        self.ended.set()

    def begin(self, turns: int = 6) -> None:
        """Keep it going, until so many blocks were moved."""
        self._thread.start()
        self.goes_on(turns)

    def begin_with(self, call: Callable[[], None]) -> None:
        """Let its thread make one call, such as ``drain``."""
        self._thread = threading.Thread(target=self._run, args=(call,), name="course", daemon=True)
        self._thread.start()
        time.sleep(BUFFER_SECONDS / 8)

    def goes_on(self, turns: int = 6) -> None:
        """So many blocks more."""
        goal = self.road.turns + turns
        until(lambda: self.road.turns >= goal or self.ended.is_set(), f"{turns} blocks more")
        assert not self.ended.is_set(), f"ended by {self.error!r}"

    def hold(self) -> None:
        """Let it wait at the gate."""
        self.road.closed_gate = True
        until(lambda: self.road.at_gate or self.ended.is_set(), "the gate")

    def let_go(self) -> None:
        """Open the gate."""
        self.road.closed_gate = False

    def end_since(self, moment: float) -> float:
        """Buffers from then to its end, which must come."""
        until(self.ended.is_set, f"the end of {self.name}")
        return buffers(self.ended_at - moment)

    def stop(self) -> None:
        """End it, if nothing did."""
        self.road.stop()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)
            assert not self._thread.is_alive(), f"{self.name} hangs"

    def _xruns_of_card(self) -> int:
        """A software card's own account."""
        card = self.place.software
        return 0 if card is None else getattr(card, self.direction).xruns

    def check_xruns(self, times: int) -> None:
        """So many were told; a software card's own account says that as many were had."""
        assert self.road.io.xruns == times
        if self.place.software is not None:
            assert self._xruns_of_card() - self._xruns_before == times

    def check_numbers(self) -> None:
        """Every frame has its number, lost or not: those that were moved, those that were lost, our silence."""
        if not self.ended.is_set() and self._thread.ident is not None:
            self.hold()
        io = self.road.io
        told = io.interruptions
        assert len(told) == io.xruns + io.suspends
        for before, after in itertools.pairwise(told):
            assert before.resumed <= after.frame
        for what in told:
            assert what.frame <= what.resumed
            assert what.lost >= 0
            # Where no silence is written the card begins again only once its ring is full: later than this is told.
            assert what.gap_ns > 0 or (self.direction == "playback" and not what.silence)
        stream = getattr(self.road, "stream", None)
        if stream is not None and self.direction == "playback":
            between = sum(what.silence + what.resumed - what.frame - what.lost for what in told)
            uncommitted = stream.stats.lost - io.lost  # a view that came too late, and so has no place in the ring
            assert stream.frame == stream.stats.frames - uncommitted + between
        elif stream is not None:
            assert stream.frame == stream.stats.frames + sum(what.resumed - what.frame for what in told)
        self.let_go()


@contextlib.contextmanager
def course(place: Place, road: str, direction: str = "playback", *, recover: bool = True) -> Generator[Course]:
    """One on a card that must be free after it, with nothing left over in this process."""
    SignalFd.make_ready()  # a process has one for good
    before = Traces.of_now()
    made = Course(place, road, direction, recover=recover)
    try:
        yield made
    finally:
        made.let_go()
        made.road.stop()
        try:
            made.stop()
        finally:
            with contextlib.suppress(alsamm.AlsaError, TimeoutError):  # what a callback ended with, told once more
                made.road.close()
    road_was = made.road
    assert road_was.io.closed
    del road_was
    made.error = None
    made.__dict__.pop("road")
    before.are_left()
    if place.is_there:
        try:
            place.is_free()
        except alsamm.DeviceNotFoundError:  # its driver is being unbound: the PCMs go first
            until(lambda: not place.is_there, f"{place.card} is gone, as its PCMs are")


def starve(made: Course, *, let_go: bool = True) -> float:
    """Let it wait at the gate until the card has run dry, or over; gives the moment when it was let go."""
    made.hold()
    stopped = (State.XRUN, State.DISCONNECTED)
    until(lambda: made.road.settled_state() in stopped, "an xrun")
    if let_go:
        made.let_go()
    return time.monotonic()


@contextlib.contextmanager
def no_descriptors() -> Generator[list[int]]:
    """Not one is free; those that hold the last of them are what it gives."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(8)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(held) + 40, before[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        yield held
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def keep_row(fault: str, road: str, device: str, outcome: str, after: float) -> None:
    """A row of the table."""
    ROWS.append({"fault": fault, "road": road, "device": device, "outcome": outcome, "buffers": f"{after:.2f}"})
