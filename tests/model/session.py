"""One card, both its PCMs and rings, beside the model: each operation is made on both, and everything compared."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import alsamm
from alsamm import errors, sim
from alsamm._c import ffi, lib
from alsamm.enums import Access, Direction, Format, State
from tests.model.blocking import ModelRing
from tests.model.card import RATE, ModelCard, frames_of, samples
from tests.model.kernel import Frames, Refused, Stream, Traits
from tests.model.ring import Account, Argument, Full, Overwritten

__all__ = ["CHANNELS", "Plan", "Session", "Side", "expected_outcome", "real_outcome"]

CHANNELS = 2
FORMAT = Format.U32_LE  # whose silence is not zeros
_PLENTY = 50_000
_names = itertools.count()
_Outcome = tuple[Any, ...]


@dataclass(frozen=True)
class Plan:
    """What a session is made with."""

    traits: Traits
    noninterleaved: bool = False
    refuse_status: bool = False
    refuse_control: bool = False
    force_sync_ptr: bool = False
    loop: bool = False
    unplugged: bool = False
    """At the end."""

    @property
    def transports(self) -> tuple[bool, bool]:
        forced = self.force_sync_ptr
        return not (forced or self.refuse_status), not (forced or self.refuse_control)


class Side:
    """One direction: the PCM, its ring, and the model of both."""

    def __init__(self, plan: Plan, card: sim.Card, model: ModelCard, way: Direction) -> None:
        self.way, self.plan, self.model_card = way, plan, model
        self.pcm = alsamm.PCM(card.device, way)
        self.stream: Stream = model.streams[way]
        self.truth = card.capture if way is Direction.CAPTURE else card.playback
        hw = alsamm.HwParams(self.pcm)
        hw.access = Access.MMAP_NONINTERLEAVED if plan.noninterleaved else Access.MMAP_INTERLEAVED
        hw.format, hw.channels, hw.rate = FORMAT, CHANNELS, RATE
        hw.period_size, hw.buffer_size = plan.traits.period, plan.traits.buffer
        self.pcm.configure(hw)
        self.map()

    def map(self) -> None:
        kind = alsamm.MmapCapture if self.way is Direction.CAPTURE else alsamm.MmapPlayback
        self.ring: Any = kind(self.pcm, force_sync_ptr=self.plan.force_sync_ptr)
        self.model = ModelRing(self.model_card, self.stream, *self.plan.transports)

    @property
    def interruptions(self) -> list[Account]:
        """The last sixteen."""
        return [Account(i.kind, i.frame, i.resumed, i.lost, i.silence) for i in self.ring.interruptions]

    @property
    def xrun(self) -> type[errors.XrunError]:
        return errors.Overrun if self.way is Direction.CAPTURE else errors.Underrun

    def meaning(self, number: int) -> _Outcome:
        """What an errno is raised as."""
        kinds: dict[int, tuple[type[BaseException], int | None]] = {
            errno.EPIPE: (self.xrun, errno.EPIPE),
            errno.ESTRPIPE: (errors.SuspendedError, errno.ESTRPIPE),
            errno.ENODEV: (errors.DeviceLostError, errno.ENODEV),
            errno.EBADFD: (errors.StateError, None),
            errno.EBUSY: (errors.StateError, None),
            errno.ENOSYS: (errors.UnsupportedError, None),
        }
        return kinds.get(number, (errors.AlsaOSError, number))


class Session:
    """``figures`` counts what was done, by kind."""

    dtype = FORMAT.dtype
    figures: Counter[str] = Counter()  # noqa: RUF012 -- of all sessions of a run

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        t = plan.traits
        self.card = sim.Card(
            f"model{next(_names)}",
            clock="auto",
            pause=t.pause,
            resume=t.resume,
            no_rewinds=t.no_rewinds,
            interrupts=not t.no_period_wakeup,
            granularity=t.granularity,
            boundary=t.boundary,
            delay=t.delay,
            refuse_status=plan.refuse_status,
            refuse_control=plan.refuse_control,
            loop=plan.loop,
        )
        self.model = ModelCard(t, loop=plan.loop)
        self.sides = [Side(plan, self.card, self.model, way) for way in (Direction.PLAYBACK, Direction.CAPTURE)]
        self.card.feed(samples(np.arange(1, _PLENTY + 1), CHANNELS))
        self.written = 0
        self.compared = 0
        self.log: list[str] = []
        self.compare()

    def close(self) -> None:
        if self.plan.unplugged:
            self._unplug()
        for side in self.sides:
            side.ring.close()
            side.pcm.close()
        self.card.close()

    @staticmethod
    def encode(frames: Frames) -> np.ndarray[Any, Any]:
        """As the ring's samples."""
        return samples(frames, CHANNELS)

    def new_frames(self, count: int) -> Frames:
        self.written += count
        return np.arange(self.written - count + 1, self.written + 1)

    # ---- both, and compared ----

    def both(self, side: Side, expected: Callable[[], Any], real: Callable[[], Any]) -> Any:
        """Make a call of the model and the real one; both must give or raise the same. Gives it, or None."""
        want, value = expected_outcome(side, expected)
        if want[0] is errors.StateError and side.stream.state is State.SUSPENDED:
            want = side.meaning(errno.ESTRPIPE)  # alsamm/_c/kernel.c: fast_refusal
        got = real_outcome(real)
        assert _same(want, got), f"the model: {want}; alsamm: {got}"
        return value

    def compare(self) -> None:
        """The kernel's side by the card's own account, and all that was played."""
        for side in self.sides:
            stream, now = side.stream, side.truth._read()
            want = {
                "state": stream.state,
                "hw_ptr": stream.hw_ptr,
                "appl_ptr": stream.appl_ptr,
                "avail_min": stream.avail_min,
                "start_threshold": stream.start_threshold,
                "stop_threshold": stream.stop_threshold,
                "silence_threshold": stream.silence_threshold,
                "silence_size": stream.silence_size,
                "linked": len(stream.group) > 1,
                "interrupts": stream.interrupts,
                "xruns": stream.xruns,
            }
            got = {name: getattr(now, name) for name in want}
            assert got == want, f"{side.way}: the card {_differing(got, want)}, the model {_differing(want, got)}"
            self.figures[f"state {State(stream.state).name}"] += 1
        np.testing.assert_array_equal(self._played(), self.model.played)
        self.compared += len(self.model.played)
        self.figures["frames played and compared"] += len(self.model.played)
        self.model.played = np.empty(0, np.int64)

    def _played(self) -> Frames:
        """What was played since the last look."""
        tape = ffi.new("struct sim_tape *")
        lib.sim_tape_of(self.card._handle, tape)
        size = CHANNELS * FORMAT.dtype.itemsize
        raw = os.pread(tape.fd, tape.bytes - self.compared * size, self.compared * size)
        return frames_of(np.frombuffer(raw, FORMAT.dtype).reshape(-1, CHANNELS))

    def _unplug(self) -> None:
        """Rules A6 and C13."""
        self.figures["fault unplug"] += 1
        self.card.unplug()
        self.model.unplug()
        for side in self.sides:
            ring, lost = side.ring, (errors.DeviceLostError, errors.StateError)
            for call in (ring.start, ring.prepare, ring.hwsync, ring.delay, ring.drop, ring.position, ring.snapshot):
                with contextlib.suppress(errors.DeviceLostError):
                    call()
                    raise AssertionError(f"{call} of a card that is gone")
            for call in (ring.data, lambda ring=ring: ring.commit(0), ring.drain, ring.recover, ring.wait):
                with contextlib.suppress(*lost):
                    call()
                    raise AssertionError(f"{call} of a card that is gone")
            if side.model.status_mapped:
                assert ring.state is State.DISCONNECTED
                assert ring.hw_ptr == side.stream.hw_ptr


def real_outcome(real: Callable[[], Any]) -> _Outcome:
    try:
        return "gives", real()
    except (errors.AlsaError, TimeoutError) as error:
        return type(error), getattr(error, "errno", None)


def expected_outcome(side: Side, expected: Callable[[], Any]) -> tuple[_Outcome, Any]:
    """What the model's answer is raised or given as, and what it gives."""
    try:
        value = expected()
    except Refused as refused:
        return side.meaning(refused.errno), None
    except Argument:
        return (errors.ArgumentError, None), None
    except Full:
        return (errors.StateError, None), None
    except Overwritten:
        return (errors.Overrun, errno.EPIPE), None
    except TimeoutError:
        return (TimeoutError, None), None
    return ("gives", value), value


def _same(want: _Outcome, got: _Outcome) -> bool:
    if want[0] != got[0]:
        return False
    if isinstance(want[1], np.ndarray):
        return np.array_equal(want[1], got[1])
    return bool(want[1] == got[1])


def _differing(these: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in these.items() if value != others[name]}
