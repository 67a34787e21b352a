"""Every public operation of a ring, its pages, its PCM and its card, each made of the model and of the real thing.

An operation is a name, a direction and two numbers, which it makes frames or flags of as it needs them.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

import alsamm
from alsamm import errors
from alsamm.enums import Direction, State
from tests.model.kernel import EITHER, Frames, Refused
from tests.model.ring import Argument
from tests.model.session import CHANNELS, Session, Side

__all__ = ["OPERATIONS", "Operation", "perform"]

Operation = tuple[str, int, int, int]
"""Name, direction, and two numbers."""
_Do = Callable[[Session, Side, int, int], None]
OPERATIONS: dict[str, tuple[int, _Do]] = {}
"""With how often each is drawn."""


def perform(session: Session, operation: Operation) -> None:
    name, way, a, b = operation
    session.figures[f"operation {name}"] += 1
    OPERATIONS[name][1](session, session.sides[way], a, b)


def _often(weight: int) -> Callable[[_Do], _Do]:
    def register(do: _Do) -> _Do:
        OPERATIONS[do.__name__] = (weight, do)
        return do

    return register


def _playback(do: _Do) -> _Do:
    """An operation of playback only, whatever direction was drawn."""

    def wrapped(session: Session, _side: Side, a: int, b: int) -> None:
        do(session, session.sides[Direction.PLAYBACK], a, b)

    wrapped.__name__ = do.__name__
    return wrapped


def _capture(do: _Do) -> _Do:
    def wrapped(session: Session, _side: Side, a: int, b: int) -> None:
        do(session, session.sides[Direction.CAPTURE], a, b)

    wrapped.__name__ = do.__name__
    return wrapped


def _count(session: Session, number: int) -> int:
    """Frames: mostly what fits, sometimes more than the ring."""
    t = session.plan.traits
    return number % (t.period + 1) if number & 1 else number // 2 % (2 * t.buffer)


# ---- time and faults ----


@_often(24)
def advance(session: Session, _side: Side, a: int, b: int) -> None:
    frames = (1, session.plan.traits.period, session.plan.traits.buffer, 3 * session.plan.traits.buffer)[b % 4]
    frames = 1 + a % frames
    session.card.advance(frames)
    session.model.advance(frames)


@_often(1)
def fault_xrun(session: Session, side: Side, _a: int, _b: int) -> None:
    session.both(side, lambda: session.model.xrun(side.stream), lambda: session.card.xrun(side.way))
    session.figures["fault xrun"] += 1


@_often(1)
def fault_suspend(session: Session, _side: Side, _a: int, b: int) -> None:
    session.card.suspend()
    session.model.suspend()
    session.figures["fault suspend"] += 1
    if b % 4:
        fault_power(session, _side, 0, 0)


@_often(1)
def fault_power(session: Session, _side: Side, _a: int, _b: int) -> None:
    session.card.resume_power()
    session.model.powered_off = False


@_often(1)
def fault_freeze(session: Session, _side: Side, a: int, _b: int) -> None:
    session.model.frozen = a % 4 == 0
    session.card.freeze(session.model.frozen)
    session.figures["fault freeze"] += session.model.frozen


@_often(1)
def fault_late(session: Session, side: Side, a: int, _b: int) -> None:
    side.stream.late = a % 5
    session.card.late(side.stream.late, side.way)
    session.figures["fault late"] += 1


@_often(1)
def fault_position(session: Session, side: Side, _a: int, _b: int) -> None:
    side.stream.bad_position = True
    session.card.bad_position(side.way)
    session.figures["fault position"] += 1


@_often(1)
def loop(session: Session, _side: Side, a: int, _b: int) -> None:
    session.card.loop = session.model.loop = bool(a & 1)


# ---- moving frames ----


@_often(10)
@_playback
def write(session: Session, side: Side, a: int, b: int) -> None:
    frames = session.new_frames(_count(session, a))
    block = _as_given(session.encode(frames), b)
    session.both(side, lambda: side.model.write(frames), lambda: side.ring.write(block))
    _check_done(side)


def _as_given(block: np.ndarray[Any, Any], how: int) -> Any:
    """The same frames, as an array of other strides or as a buffer."""
    if how % 4 == 1:
        return np.asfortranarray(block)
    if how % 4 == 2:
        return np.repeat(block, 2, axis=0)[::2]
    return memoryview(block.tobytes()) if how % 4 == 3 and len(block) else block


def _check_done(side: Side) -> None:
    if side.stream.state in EITHER:
        assert side.ring.frames_done == side.model.done


@_often(2)
@_playback
def write_values(session: Session, side: Side, a: int, b: int) -> None:
    frames = session.new_frames(_count(session, a))
    values = session.encode(frames).reshape(-1).tolist()
    torn = bool(b % 4 == 0 and len(frames))

    def expected() -> int:
        if torn and len(frames) <= side.model.usable:
            raise Argument
        return side.model.write(frames[: side.model.usable])

    session.both(side, expected, lambda: side.ring.write(iter(values[:-1] if torn else values)))


@_often(4)
@_playback
def write_all(session: Session, side: Side, a: int, b: int) -> None:
    recover = bool(b & 1)
    if not _may_sleep(session, side, recover=recover):
        return
    frames = session.new_frames(_count(session, a))
    block = _as_given(session.encode(frames), b >> 1)
    session.both(
        side,
        lambda: side.model.write_all(frames, recover=recover),
        lambda: side.ring.write_all(block, recover=recover),
    )


@_often(4)
@_playback
def reserve(session: Session, side: Side, a: int, b: int) -> None:
    """With an exception within nothing is committed, but it was written (rule J2)."""
    wanted, failing = _count(session, a), b % 5 == 0

    def expected() -> int:
        offset, first, _ = side.model.spans()
        count = min(first, wanted)
        side.stream.ring[offset : offset + count] = frames[:count]
        if not failing:
            side.model.commit(count)
        return count

    def real() -> int:
        with contextlib.suppress(ZeroDivisionError), side.ring.reserve(wanted) as view:
            view[:] = session.encode(frames)[: len(view)]
            if failing:
                raise ZeroDivisionError
        return len(view)

    frames = session.new_frames(wanted)
    session.both(side, expected, real)


@_often(1)
@_playback
def silence(session: Session, side: Side, _a: int, _b: int) -> None:
    session.both(side, side.model.silence, side.ring.silence)


@_often(5)
@_capture
def read_into(session: Session, side: Side, a: int, b: int) -> None:
    out = np.empty((_count(session, a), CHANNELS), session.dtype, order="F" if b & 1 else "C")
    session.both(
        side,
        lambda: session.encode(side.model.take(len(out))),
        lambda: out[: side.ring.read_into(out)],
    )
    _check_done(side)


@_often(3)
@_capture
def read(session: Session, side: Side, a: int, b: int) -> None:
    wanted = _count(session, a) if b & 1 else None

    def expected() -> Any:
        most = side.stream.traits.buffer
        return session.encode(side.model.take(min(most, side.stream.avail if wanted is None else wanted)))

    session.both(side, expected, lambda: side.ring.read(wanted))


@_often(2)
@_capture
def peek(session: Session, side: Side, _a: int, _b: int) -> None:
    session.both(
        side,
        lambda: session.encode(side.model.take(side.model.usable, commit=False)),
        side.ring.peek,
    )


@_often(2)
@_capture
def iterate(session: Session, side: Side, a: int, _b: int) -> None:
    """A frame of which only some channels were taken stays."""
    wanted = a % (3 * CHANNELS * session.plan.traits.period)

    def expected() -> list[int]:
        taken: Frames = side.model.take(side.model.usable, commit=False)
        values = session.encode(taken).reshape(-1).tolist()[:wanted]
        side.model.commit(len(values) // CHANNELS)
        return values

    def real() -> list[int]:
        values = iter(side.ring)
        taken = list(itertools.islice(values, wanted))
        values.close()
        return taken

    session.both(side, expected, real)


@_often(4)
@_capture
def fill(session: Session, side: Side, a: int, b: int) -> None:
    recover = bool(b & 1)
    if not _may_sleep(session, side, recover=recover):
        return
    out = np.empty((_count(session, a), CHANNELS), session.dtype)
    session.both(
        side,
        lambda: session.encode(side.model.fill(len(out), recover=recover)),
        lambda: out[: side.ring.fill(out, recover=recover)],
    )


def _may_sleep(session: Session, side: Side, *, recover: bool = False) -> bool:
    """A blocking call that would not end in the card's time would sleep in ours."""
    t, stream = session.plan.traits, side.stream
    return (
        not session.model.stands_still
        and not t.no_period_wakeup
        and stream.state is not State.PAUSED
        and not (stream.state is State.SUSPENDED and stream.suspended_state is State.PAUSED)
        and stream.avail_min <= 2 * t.buffer
        and (len(stream.group) == 1 or stream.group[1].stop_threshold >= t.buffer)
        # Else there is an xrun before each wake-up.
        and not (recover and stream.avail_min + t.period > min(stream.stop_threshold, t.buffer))
        and min(stream.hw_avail, t.buffer - stream.hw_avail) >= -t.buffer
    )


@_often(8)
def commit(session: Session, side: Side, a: int, b: int) -> None:
    frames = _count(session, a) if b % 8 else -1
    session.both(side, lambda: side.model.commit(frames), lambda: side.ring.commit(frames))


@_often(4)
def data(session: Session, side: Side, _a: int, _b: int) -> None:
    def expected() -> Any:
        offset, first, second = side.model.spans()
        at = (offset + np.arange(first + second)) % side.stream.traits.buffer
        return np.concatenate([np.full((1, CHANNELS), offset), session.encode(side.stream.ring[at])])

    def real() -> Any:
        first, second = side.ring.data()
        assert second is None or second.offset == 0
        return np.concatenate(
            [np.full((1, CHANNELS), first.offset), first.view, *([] if second is None else [second.view])]
        )

    session.both(side, expected, real)


# ---- waiting ----


@_often(4)
def wait(session: Session, side: Side, _a: int, b: int) -> None:
    stream = side.stream
    if b % 3 == 0 or not _may_sleep(session, side) or (stream.state is not State.RUNNING):

        def expected() -> None:
            if not side.model.wait_not_at_all():
                raise TimeoutError

        session.both(side, expected, lambda: side.ring.wait(0))
    elif (stream.avail_min - stream.avail) <= 2 * session.plan.traits.buffer:
        session.both(side, side.model.wait, side.ring.wait)


# ---- states ----


@_often(8)
def prepare(session: Session, side: Side, _a: int, b: int) -> None:
    session.both(side, side.model.prepare, side.pcm.prepare if b & 1 else side.ring.prepare)


@_often(8)
def start(session: Session, side: Side, _a: int, b: int) -> None:
    session.both(side, side.stream.start, side.pcm.start if b & 1 else side.ring.start)


@_often(2)
def drop(session: Session, side: Side, _a: int, b: int) -> None:
    session.both(side, side.stream.drop, side.pcm.drop if b & 1 else side.ring.drop)


@_often(2)
def drain(session: Session, side: Side, _a: int, _b: int) -> None:
    if not session.model.stands_still and not session.plan.traits.no_period_wakeup:
        session.both(side, side.model.drain, side.ring.drain)


@_often(3)
def pause(session: Session, side: Side, a: int, b: int) -> None:
    enable = bool(a & 1)
    call = side.pcm.pause if b & 1 else side.ring.pause
    session.both(side, lambda: side.stream.pause(enable), lambda: call(enable))


@_often(2)
def resume(session: Session, side: Side, _a: int, b: int) -> None:
    if not session.model.powered_off:  # the card's EAGAIN is no answer of the kernel's
        session.both(side, side.stream.resume, side.pcm.resume if b & 1 else side.ring.resume)


@_often(2)
def reset(session: Session, side: Side, _a: int, b: int) -> None:
    session.both(side, side.model.reset, side.pcm.reset if b & 1 else side.ring.reset)


@_often(2)
def xrun(session: Session, side: Side, _a: int, b: int) -> None:
    session.both(side, side.stream.xrun_ioctl, side.pcm.xrun if b & 1 else side.ring.xrun)


@_often(3)
def rewind(session: Session, side: Side, a: int, b: int) -> None:
    frames, call = _count(session, a), side.pcm.rewind if b & 1 else side.ring.rewind
    session.both(side, lambda: side.model.shift(frames, -1), lambda: call(frames))


@_often(3)
def forward(session: Session, side: Side, a: int, b: int) -> None:
    frames, call = _count(session, a), side.pcm.forward if b & 1 else side.ring.forward
    session.both(side, lambda: side.model.shift(frames, 1), lambda: call(frames))


@_often(4)
def recover(session: Session, side: Side, _a: int, _b: int) -> None:
    session.both(side, side.model.recover, lambda: side.ring.recover(0))
    assert side.interruptions == side.model.accounts[-16:]
    assert side.ring.lost == sum(account.lost for account in side.model.accounts)


@_often(1)
def refill(session: Session, side: Side, a: int, _b: int) -> None:
    side.ring.refill = side.model.refill = a % (session.plan.traits.buffer + 1)


@_often(1)
def link(session: Session, side: Side, _a: int, _b: int) -> None:
    other = session.sides[1 - side.way]
    session.both(side, lambda: session.model.link(side.stream, other.stream), lambda: side.pcm.link(other.pcm))


@_often(1)
def unlink(session: Session, side: Side, _a: int, _b: int) -> None:
    session.both(side, lambda: session.model.unlink(side.stream), side.pcm.unlink)


@_often(16)
def begin(session: Session, side: Side, a: int, b: int) -> None:
    """Whatever was: prepared, something in the ring, and started, so that random walks do not end in the first xrun."""
    if side.stream.state is State.RUNNING or session.model.powered_off:
        return
    if side.stream.state in (State.DRAINING, State.PAUSED):
        drop(session, side, a, b)
    fault_freeze(session, side, 1, 0)
    prepare(session, side, a, b)
    if side.stream.capture:
        start(session, side, a, b)
    else:
        frames = session.new_frames(session.plan.traits.buffer)
        session.both(side, lambda: side.model.write(frames), lambda: side.ring.write(session.encode(frames)))


# ---- asking ----


@_often(4)
def hwsync(session: Session, side: Side, _a: int, _b: int) -> None:
    session.both(side, side.stream.hwsync, side.ring.hwsync)


@_often(2)
def delay(session: Session, side: Side, _a: int, _b: int) -> None:
    session.both(side, side.stream.delay_ioctl, side.ring.delay)


@_often(4)
def look(session: Session, side: Side, _a: int, _b: int) -> None:
    """All that can be asked without the card."""
    ring, model, stream = side.ring, side.model, side.stream
    assert ring.avail() == stream.avail
    assert (ring.state, ring.hw_ptr, ring.appl_ptr) == (stream.state, stream.hw_ptr, stream.appl_ptr)
    assert (ring.frame, ring.avail_min) == (model.frame, stream.avail_min)
    assert (ring.status.hw_ptr, ring.status.state) == (stream.hw_ptr, stream.state)
    assert (ring.control.appl_ptr, ring.control.avail_min) == (stream.appl_ptr, stream.avail_min)
    assert side.pcm.state is stream.state
    geometry = ring.geometry
    assert (geometry.start_threshold, geometry.stop_threshold) == (stream.start_threshold, stream.stop_threshold)
    assert (ring.lost, ring.xruns + ring.suspends) == (sum(a.lost for a in model.accounts), len(model.accounts))
    at = np.arange(session.plan.traits.buffer)
    np.testing.assert_array_equal(
        np.stack([ring.channel(c) for c in range(CHANNELS)], axis=1), session.encode(stream.ring[at])
    )


@_often(2)
def pages(session: Session, side: Side, a: int, b: int) -> None:
    """Status and Control of their own, beside the ring's."""
    stream = side.stream
    with (
        alsamm.Status(side.pcm, force_sync_ptr=bool(a & 1)) as status,
        alsamm.Control(side.pcm, force_sync_ptr=bool(b & 1)) as control,
    ):
        assert (status.state, status.hw_ptr) == (stream.state, stream.hw_ptr)
        assert (control.appl_ptr, control.avail_min) == (stream.appl_ptr, stream.avail_min)


@_often(2)
def status(session: Session, side: Side, _a: int, _b: int) -> None:
    def real() -> tuple[State, int, int, int, int]:
        now = side.pcm.status()
        return now.state, now.hw_ptr, now.appl_ptr, now.avail, now.delay

    session.both(side, side.stream.status, real)


@_often(2)
def snapshot(session: Session, side: Side, a: int, b: int) -> None:
    ask = bool(a & 1)
    stream = side.stream

    def expected() -> tuple[State, int, int, int]:
        if ask:
            stream.hwsync()
        return stream.state, stream.hw_ptr, stream.appl_ptr, stream.avail_min

    def real() -> tuple[State, int, int, int]:
        now = side.ring.snapshot(hwsync=ask)
        return now.state, now.hw_ptr, now.appl_ptr, now.avail_min

    session.both(side, expected, real)


@_often(2)
def position(session: Session, side: Side, _a: int, _b: int) -> None:
    session.both(side, side.model.position, lambda: side.ring.position().frame)


@_often(2)
def pcm_avail(session: Session, side: Side, _a: int, _b: int) -> None:
    """snd_pcm_avail, which looks at stop_threshold itself (rule G2) and knows the end of a drain (rule P6)."""
    stream = side.stream

    def expected() -> int:
        try:
            stream.hwsync()
        except Refused as refused:
            if refused.errno == errno.EPIPE and stream.state is State.SETUP:
                raise Refused(errno.EBADFD) from None
            if refused.errno != errno.EBADFD or stream.state is not State.DRAINING:
                raise
        if stream.state is State.RUNNING and stream.avail >= stream.stop_threshold:
            stream.xrun_ioctl()
            raise Refused(errno.EPIPE)
        return stream.avail

    session.both(side, expected, side.pcm.avail)


# ---- setting ----


@_often(2)
def appl_ptr(session: Session, side: Side, a: int, b: int) -> None:
    """Anywhere below boundary: the kernel believes it (rules D4, E5b)."""
    t = session.plan.traits
    to = (a, side.stream.appl_ptr + a % t.period, -1 - a % t.period)[b % 3] % t.boundary

    def expected() -> None:
        try:
            side.model.set_appl_ptr(to)
        except Refused:
            raise Argument from None

    def real() -> None:
        side.ring.control.appl_ptr = to

    session.both(side, expected, real)


@_often(1)
def sync_ptr(session: Session, side: Side, a: int, b: int) -> None:
    """By number, as a program without a ring would; also with what the kernel refuses."""
    stream, fd = side.stream, side.pcm.kernel_fd()
    boundary = session.plan.traits.boundary
    to = (None, stream.appl_ptr, a % boundary, boundary + a % 3)[b % 4]
    least = 1 + a % session.plan.traits.buffer if b & 4 else None
    ask = bool(b & 8)

    def expected() -> tuple[State, int, int, int]:
        if ask:
            stream.hwsync()
        if to is not None:
            try:
                stream.set_appl_ptr(to)
            except Refused:
                raise Argument from None
        if least is not None:
            stream.avail_min = least
        return stream.state, stream.hw_ptr, stream.appl_ptr, stream.avail_min

    def real() -> tuple[State, int, int, int]:
        try:
            now = alsamm.SyncPtrStatus.sync_ptr(fd, ask, to, least)
        except errors.XrunError as error:
            assert type(error) is errors.XrunError  # a descriptor alone knows no direction
            raise side.xrun(errno.EPIPE, str(error)) from None
        return now.state, now.hw_ptr, now.appl_ptr, now.avail_min

    session.both(side, expected, real)


@_often(2)
def avail_min(session: Session, side: Side, a: int, b: int) -> None:
    value = a % (session.plan.traits.buffer + 2) if b % 4 else session.plan.traits.buffer + 1
    target = side.ring if b & 1 else side.ring.control

    def expected() -> None:
        if not 0 < value <= (session.plan.traits.buffer if b & 1 else value):
            raise Argument
        side.stream.avail_min = value

    def real() -> None:
        target.avail_min = value

    session.both(side, expected, real)


@_often(4)
def sw_params(session: Session, side: Side, a: int, b: int) -> None:
    """Rules J1, G4: thresholds, silence by a top-up or by a wipe of what was played, and what cannot be had."""
    t = session.plan.traits
    sw = side.pcm.sw_params()
    wishes: dict[str, int] = {}
    if b & 1:
        wishes["start_threshold"] = (1, t.period, t.buffer, t.boundary)[a % 4]
    if b & 2:
        wishes["stop_threshold"] = (t.buffer, t.boundary, t.period, 2 * t.buffer)[a // 4 % 4]
    if b & 4:
        size, threshold = ((0, 0), (t.boundary, 0), (t.period, t.period), (t.period + 1, t.period))[a // 16 % 4]
        wishes |= {"silence_size": size, "silence_threshold": threshold}
    if b & 8:
        wishes["avail_min"] = t.period + a // 64 % t.period
    for name, value in wishes.items():
        setattr(sw, name, value)
    refused = wishes.get("silence_size", 0) == t.period + 1
    if refused:
        with contextlib.suppress(errors.ParameterError):
            side.pcm.configure(sw=sw)
            raise AssertionError(f"{wishes} was taken")
        return

    def expected() -> None:
        side.stream.sw_params(wishes)

    session.both(side, expected, lambda: side.pcm.configure(sw=sw))


@_often(1)
def remap(session: Session, side: Side, _a: int, _b: int) -> None:
    """The stream goes on without its ring (rule C10), and a new ring finds it as it is."""
    side.ring.close()
    side.map()

