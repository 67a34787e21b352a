"""Operations that move frames, and that wait for them."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import numpy as np

from alsamm.enums import State
from tests.model.kernel import EITHER, Frames
from tests.model.registry import count, often, with_capture, with_playback
from tests.model.ring import Argument
from tests.model.session import CHANNELS, Session, Side
from tests.model.states import advance

__all__: list[str] = []

# ---- moving frames ----


@often(10)
@with_playback
def write(session: Session, side: Side, a: int, b: int) -> None:
    frames = session.new_frames(count(session, a))
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


@often(2)
@with_playback
def write_values(session: Session, side: Side, a: int, b: int) -> None:
    frames = session.new_frames(count(session, a))
    values = session.encode(frames).reshape(-1).tolist()
    torn = bool(b % 4 == 0 and len(frames))

    def expected() -> int:
        if torn and len(frames) <= side.model.usable:
            raise Argument
        return side.model.write(frames[: side.model.usable])

    session.both(side, expected, lambda: side.ring.write(iter(values[:-1] if torn else values)))


@often(4)
@with_playback
def write_all(session: Session, side: Side, a: int, b: int) -> None:
    recover = bool(b & 1)
    if not _may_sleep(session, side, recover=recover):
        return
    frames = session.new_frames(count(session, a))
    block = _as_given(session.encode(frames), b >> 1)
    session.both(
        side,
        lambda: side.model.write_all(frames, recover=recover),
        lambda: side.ring.write_all(block, recover=recover),
    )


@often(4)
@with_playback
def reserve(session: Session, side: Side, a: int, b: int) -> None:
    """With an exception within nothing is committed, but it was written (rule J2)."""
    wanted, failing = count(session, a), b % 5 == 0

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


@often(16)
def serve(session: Session, _side: Side, a: int, b: int) -> None:
    """As programs do it: some periods, each moved as it comes, so that a stream lives long enough to wrap."""
    playback, capture = session.sides
    for _ in range(1 + b % 8):
        advance(session, playback, session.plan.traits.period - 1, 1)
        if playback.stream.state is State.RUNNING:
            write(session, playback, 2 * session.plan.traits.buffer, a)
        if capture.stream.state is State.RUNNING:
            read(session, capture, 0, 0)


@often(1)
@with_playback
def silence(session: Session, side: Side, _a: int, _b: int) -> None:
    session.both(side, side.model.silence, side.ring.silence)


@often(5)
@with_capture
def read_into(session: Session, side: Side, a: int, b: int) -> None:
    out = np.empty((count(session, a), CHANNELS), session.dtype, order="F" if b & 1 else "C")
    session.both(
        side,
        lambda: session.encode(side.model.take(len(out))),
        lambda: out[: side.ring.read_into(out)],
    )
    _check_done(side)


@often(3)
@with_capture
def read(session: Session, side: Side, a: int, b: int) -> None:
    wanted = count(session, a) if b & 1 else None

    def expected() -> Any:
        most = side.stream.traits.buffer
        return session.encode(side.model.take(min(most, side.stream.avail if wanted is None else wanted)))

    session.both(side, expected, lambda: side.ring.read(wanted))


@often(2)
@with_capture
def peek(session: Session, side: Side, _a: int, _b: int) -> None:
    session.both(
        side,
        lambda: session.encode(side.model.take(side.model.usable, commit=False)),
        side.ring.peek,
    )


@often(2)
@with_capture
def iterate(session: Session, side: Side, a: int, _b: int) -> None:
    """A frame of which only some channels were taken stays."""
    wanted = a % (3 * CHANNELS * session.plan.traits.period)

    def expected() -> list[int]:
        taken: Frames = side.model.take(side.model.usable, commit=False)
        values: list[int] = session.encode(taken).reshape(-1).tolist()[:wanted]
        side.model.commit(len(values) // CHANNELS)
        return values

    def real() -> list[int]:
        values = iter(side.ring)
        taken = list(itertools.islice(values, wanted))
        values.close()
        return taken

    session.both(side, expected, real)


@often(4)
@with_capture
def fill(session: Session, side: Side, a: int, b: int) -> None:
    recover = bool(b & 1)
    if not _may_sleep(session, side, recover=recover):
        return
    out = np.empty((count(session, a), CHANNELS), session.dtype)
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


@often(8)
def commit(session: Session, side: Side, a: int, b: int) -> None:
    frames = count(session, a) if b % 8 else -1
    session.both(side, lambda: side.model.commit(frames), lambda: side.ring.commit(frames))


@often(4)
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


@often(4)
def wait(session: Session, side: Side, _a: int, b: int) -> None:
    stream = side.stream
    if b % 3 == 0 or not _may_sleep(session, side) or (stream.state is not State.RUNNING):

        def expected() -> None:
            if not side.model.wait_not_at_all():
                raise TimeoutError

        session.both(side, expected, lambda: side.ring.wait(0))
    elif (stream.avail_min - stream.avail) <= 2 * session.plan.traits.buffer:
        session.both(side, side.model.wait, side.ring.wait)
