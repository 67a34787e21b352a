"""The same operations on a real kernel, whose time nobody holds: what the card did meanwhile is fed to the model.

Before and after a call SYNC_PTR tells state and pointers. Its outcome must be the one that the rules give for the
card where it was before, where it was after, or where it stopped in between; a number may lie between them. What time
alone may change, hw_ptr and the state, must then follow from it (rules H3, G2, J3); what it may not, appl_ptr and
avail_min, must be the model's.
"""

from __future__ import annotations

import copy
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import alsamm
from alsamm.enums import Access, Direction, Format, State
from tests.model.card import ModelCard, samples
from tests.model.kernel import Frames, Stream, Traits
from tests.model.operations import OPERATIONS, Operation, perform
from tests.model.session import CHANNELS, Plan, Side, expected_outcome, real_outcome

__all__ = ["REAL_OPERATIONS", "RealSession"]

FORMAT = Format.S16_LE  # which every driver has
PERIOD, BUFFER, RATE = 1024, 8 * 1024, 48_000
_NOT_HERE = {"advance", "loop", "look", "pages", "wait", "write_all", "fill", "drain", "reset", "serve"}
"""They need the card's time in our hand, or look at pointers that move."""
REAL_OPERATIONS = [
    name
    for name, (weight, _) in OPERATIONS.items()
    for _ in range(weight)
    if name not in _NOT_HERE and "fault" not in name
]
_Outcome = tuple[Any, ...]


class RealStream(Stream):
    """``told``: where the card is, when it is asked."""

    told = 0

    @property
    def end(self) -> int:
        """Where the card stops by itself, if it does (rules G2, J3)."""
        stop = self.traits.buffer if self.state is State.DRAINING else self.stop_threshold
        if not self.running or stop >= self.traits.boundary:
            return self.hw_ptr
        return (self.hw_ptr + max(1, stop - self.avail)) % self.traits.boundary

    def _begin_at(self, hw_ptr: int) -> None:
        super()._begin_at(hw_ptr)
        self.told = hw_ptr  # what was told was of before

    def ask(self, *, interrupt: bool = False) -> int:
        del interrupt
        if self.told == self.hw_ptr:
            return 0
        assert (self.told - self.hw_ptr) % self.traits.boundary < self.traits.boundary // 2, (
            "hw_ptr went back (rule H3)"
        )
        self.hw_ptr = self.told
        return self.judge()


class RealSide(Side):
    def __init__(self, plan: Plan, names: dict[str, str], model: ModelCard, way: Direction) -> None:
        self.way, self.plan, self.model_card = way, plan, model
        self.pcm = alsamm.PCM(f"{names[str(way)]},SUBDEV=0", way)
        self.stream = model.streams[way]
        self.proc = _proc_folder(self.pcm)
        hw = self.pcm.setup(
            access=Access.MMAP_INTERLEAVED,
            format=FORMAT,
            channels=CHANNELS,
            rate=RATE,
            period_size=PERIOD,
            buffer_size=BUFFER,
        )
        traits = Traits(PERIOD, BUFFER, self.pcm.geometry().boundary, pause=hw.can_pause, resume=hw.can_resume)
        self.stream.traits = traits
        self.map()

    @property
    def moving(self) -> RealStream:
        assert isinstance(self.stream, RealStream)
        return self.stream

    @property
    def now(self) -> alsamm.SyncPtrStatus:
        return alsamm.SyncPtrStatus.sync_ptr(self.pcm.kernel_fd())

    def take_anchor(self) -> None:
        """Count on from where the ring does: by how much the card moved in between nobody knows."""
        anchor = self.ring._ring.anchor
        self.model.anchor = int(anchor.frame), int(anchor.pointer)


def _proc_folder(pcm: alsamm.PCM) -> Path:
    info = pcm.info
    way = "c" if pcm.direction is Direction.CAPTURE else "p"
    return Path(f"/proc/asound/card{info.card}/pcm{info.device}{way}/sub{info.subdevice}")


class _NoFaults:
    """A real card has none on demand."""

    def freeze(self, frozen: bool) -> None:
        del frozen


class RealSession:
    """What operations.py sees of a Session."""

    dtype = FORMAT.dtype

    def __init__(self, names: dict[str, str], *, force_sync_ptr: bool) -> None:
        traits = Traits(PERIOD, BUFFER, 4 * BUFFER)
        self.plan = Plan(traits, force_sync_ptr=force_sync_ptr)
        self.model = ModelCard(traits, loop=False)
        self.model.streams = (RealStream(False, traits), RealStream(True, traits))
        self.card = _NoFaults()
        self.sides: list[RealSide] = [
            RealSide(self.plan, names, self.model, way) for way in (Direction.PLAYBACK, Direction.CAPTURE)
        ]
        self.plan = Plan(self.sides[0].stream.traits, force_sync_ptr=force_sync_ptr)
        self.figures: Counter[str] = Counter()
        self.ran: list[Stream] = []
        self.written = 0
        self._see(self._now())

    stopped_within = False
    """The card came to its end between two looks, so that nobody knows by how much."""

    def close(self) -> None:
        for side in self.sides:
            side.ring.close()
            side.pcm.close()

    @staticmethod
    def encode(frames: Frames) -> np.ndarray[Any, Any]:
        return samples(frames, CHANNELS).astype(np.int16)

    def new_frames(self, count: int) -> Any:
        self.written += count
        return np.arange(self.written - count + 1, self.written + 1)

    def perform(self, operation: Operation, pause: float) -> None:
        """One operation, then some time."""
        self.stopped_within = False
        perform(self, operation)
        self.figures["steps"] += 1
        time.sleep(pause)
        self._see(self._now())
        for side in self.sides:
            self._check_by_proc(side)
            self.figures[f"state {side.stream.state.name}"] += 1
            frame, boundary = side.ring.frame, side.stream.traits.boundary
            # Wherever it was set to, or whatever its partner's PREPARE made of it, the number fits.
            within = 2 * BUFFER if self.stopped_within else 0
            if within or operation[0] in ("appl_ptr", "sync_ptr") or len(side.stream.group) > 1:
                assert (frame - side.model.frame) % boundary <= within
                side.ring.set_frame(frame % BUFFER)  # so that a few such jumps do not add up to 2^63
                side.take_anchor()
                frame = side.ring.frame
            assert frame == side.model.frame, f"the number of {side.way}: {frame}, the model {side.model.frame}"

    # ---- the model's two answers ----

    def both(self, side: RealSide, expected: Callable[[], Any], real: Callable[[], Any]) -> Any:
        before = self._now()
        self._see(before)
        self.ran = [one.stream for one in self.sides if one.stream.running]
        saved = self._save()
        got = _plain(real_outcome(real))
        after = self._now()
        answers: list[tuple[_Outcome, Any]] = []
        value = None
        for place in range(5):
            self._restore(saved)
            for one, then in zip(self.sides, (before, after, after, after, before)[place], strict=True):
                one.moving.told = one.stream.hw_ptr
                if (then.hw_ptr - one.stream.hw_ptr) % one.stream.traits.boundary < one.stream.traits.boundary // 2:
                    one.moving.told = then.hw_ptr  # else this very call began it anew
                if place == 2:
                    one.moving.told = one.moving.end
                elif place == 3 and one.stream.running:  # an interrupt told before the call looked
                    one.stream.ask()
                elif (
                    place == 4 and one.stream.running and not one.model.mapped
                ):  # an answer that was kept (decision 15)
                    old = min(PERIOD + PERIOD // 2, one.stream.avail)  # of a page, and half a period
                    one.stream.hw_ptr = (one.stream.hw_ptr - old) % one.stream.traits.boundary
            want, value = expected_outcome(side, expected)
            answers.append((_plain(want), self._save()))
        right = [(self._likeness(state, after), place) for place, (want, state) in enumerate(answers) if want == got]
        likeness, place = max(right, default=(0, 0))
        if likeness:
            self._restore(answers[place][1])
            self.stopped_within = any(not stream.running for stream in self.ran)
        else:
            possible = [want for want, _ in answers]
            assert any(_between(one, got, other) for one in possible for other in possible), (
                f"the model: {possible}; alsamm: {got}\nbefore: {before}\nafter: {after}"
            )
            self.figures["between"] += 1
            self._restore(saved)
            frame, appl_ptr, boundary = side.model.frame, side.stream.appl_ptr, side.stream.traits.boundary
            self._restore(answers[1][1])
            for one, now in zip(self.sides, after, strict=True):
                one.stream.appl_ptr = now.appl_ptr
            assert (side.ring.frame - frame - side.stream.appl_ptr + appl_ptr) % boundary == 0, "a frame's number"
            side.take_anchor()
        side.model.done = side.ring.frames_done
        self._see(after)
        self.ran = []
        return value

    def _likeness(self, state: list[dict[str, Any]], after: list[alsamm.SyncPtrStatus]) -> int:
        """0: it cannot be that; more, the more of it is what the kernel tells after the call."""
        self._restore(state)
        pairs = [(one.stream, now) for one, now in zip(self.sides, after, strict=True)]
        if any(stream.appl_ptr != now.appl_ptr for stream, now in pairs):
            return 0
        return 1 + sum((stream.state is now.state) + (stream.hw_ptr == now.hw_ptr) for stream, now in pairs)

    def _objects(self) -> Iterator[Any]:
        for side in self.sides:
            yield side.stream
            yield side.model

    def _save(self) -> list[dict[str, Any]]:
        kept = []
        for one in self._objects():
            fields = dict(one.__dict__)
            for name in ("group", "accounts", "ring"):
                if name in fields:
                    fields[name] = copy.copy(fields[name])
            kept.append(fields)
        return kept

    def _restore(self, saved: list[dict[str, Any]]) -> None:
        for one, fields in zip(self._objects(), saved, strict=True):
            one.__dict__.clear()
            one.__dict__.update(
                {name: copy.copy(v) if name in ("group", "accounts", "ring") else v for name, v in fields.items()}
            )

    # ---- what time did ----

    def _now(self) -> list[alsamm.SyncPtrStatus]:
        """Both sides at one time: what the one is told may have stopped the other meanwhile."""
        now = [side.now for side in self.sides]
        while (again := [side.now for side in self.sides]) != now:
            now = again
        return now

    def _see(self, now: list[alsamm.SyncPtrStatus]) -> None:
        moved = []
        for side, seen in zip(self.sides, now, strict=True):
            stream = side.stream
            # What was stopped within this call may have moved until then.
            if (stream.running or (stream in self.ran and seen.hw_ptr)) and seen.hw_ptr != stream.hw_ptr:
                ahead = (seen.hw_ptr - stream.hw_ptr) % stream.traits.boundary
                assert ahead < stream.traits.boundary // 2, f"{side.way}: hw_ptr went back (rule H3)"
                self.figures["frames that the card moved"] += ahead
                stream.hw_ptr = seen.hw_ptr
                moved.append(stream)
        for stream in moved:
            if stream.running:
                stream.judge()
        for side, seen in zip(self.sides, now, strict=True):
            stream = side.stream
            got = (seen.state, seen.hw_ptr, seen.appl_ptr, seen.avail_min)
            want = (stream.state, stream.hw_ptr, stream.appl_ptr, stream.avail_min)
            assert got == want, f"{side.way}: the kernel {got}, the model {want}"

    def _check_by_proc(self, side: Any) -> None:
        """Another road to the same numbers: it asks the card, so hw_ptr may be later."""
        text = (side.proc / "status").read_text()
        found = dict(re.findall(r"^(\w+)\s*: (\S+)", text, re.MULTILINE))
        stream = side.stream
        assert int(found["appl_ptr"]) == stream.appl_ptr, text
        if not stream.running:
            assert (found["state"], int(found["hw_ptr"])) == (stream.state.name, stream.hw_ptr), text
        thresholds = dict(re.findall(r"^(\w+): (\d+)$", (side.proc / "sw_params").read_text(), re.MULTILINE))
        for name in ("avail_min", "start_threshold", "stop_threshold", "silence_threshold", "silence_size"):
            assert int(thresholds[name]) == getattr(stream, name), name


def _plain(outcome: _Outcome) -> _Outcome:
    """Of samples only how many: what a real card gives is not known beforehand."""
    if isinstance(outcome[1], np.ndarray):
        return outcome[0], len(outcome[1])
    if isinstance(outcome[1], list):
        return outcome[0], len(outcome[1])
    return outcome


def _between(least: _Outcome, got: _Outcome, most: _Outcome) -> bool:
    if len({least[0], got[0], most[0]}) > 1:
        return bool(got in (least, most))
    return _number_between(least[1], got[1], most[1])


def _number_between(least: Any, got: Any, most: Any) -> bool:
    if isinstance(got, tuple):
        return all(_number_between(*three) for three in zip(least, got, most, strict=True))
    if isinstance(got, int) and not isinstance(got, State):
        return bool(min(least, most) <= got <= max(least, most))
    return bool(got in (least, most))
