"""Operations that ask, and that set parameters and pointers."""

from __future__ import annotations

import contextlib
import errno

import numpy as np

import alsamm
from alsamm import errors
from alsamm.enums import State
from tests.model.kernel import Refused
from tests.model.registry import often
from tests.model.ring import Argument
from tests.model.session import CHANNELS, Session, Side

__all__: list[str] = []

# ---- asking ----


@often(4)
def hwsync(session: Session, side: Side, _a: int, _b: int) -> None:
    session.both(side, side.stream.hwsync, side.ring.hwsync)


@often(2)
def delay(session: Session, side: Side, _a: int, _b: int) -> None:
    session.both(side, side.stream.delay_ioctl, side.ring.delay)


@often(4)
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


@often(2)
def pages(_session: Session, side: Side, a: int, b: int) -> None:
    """Status and Control of their own, beside the ring's."""
    stream = side.stream
    with (
        alsamm.Status(side.pcm, force_sync_ptr=bool(a & 1)) as status,
        alsamm.Control(side.pcm, force_sync_ptr=bool(b & 1)) as control,
    ):
        assert (status.state, status.hw_ptr) == (stream.state, stream.hw_ptr)
        assert (control.appl_ptr, control.avail_min) == (stream.appl_ptr, stream.avail_min)


@often(2)
def status(session: Session, side: Side, _a: int, _b: int) -> None:
    def real() -> tuple[State, int | None, int | None, int, int]:
        now = side.pcm.status()
        return now.state, now.hw_ptr, now.appl_ptr, now.avail, now.delay

    session.both(side, side.stream.status, real)


@often(2)
def snapshot(session: Session, side: Side, a: int, _b: int) -> None:
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


@often(2)
def position(session: Session, side: Side, _a: int, _b: int) -> None:
    session.both(side, side.model.position, lambda: side.ring.position().frame)


@often(2)
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


@often(2)
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


@often(1)
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
        except (errors.Underrun, errors.Overrun):
            raise AssertionError("a descriptor alone knows no direction") from None
        except errors.XrunError as error:
            raise side.xrun(errno.EPIPE, str(error)) from None
        return now.state, now.hw_ptr, now.appl_ptr, now.avail_min

    session.both(side, expected, real)


@often(2)
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


@often(4)
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


@often(1)
def remap(_session: Session, side: Side, _a: int, _b: int) -> None:
    """The stream goes on without its ring (rule C10), and a new ring finds it as it is."""
    side.ring.close()
    side.map()
