"""Operations on the card's time, its faults, and a stream's state."""

from __future__ import annotations

from alsamm.enums import State
from tests.model.registry import count, often
from tests.model.session import Session, Side, expected_outcome, real_outcome

__all__: list[str] = []

# ---- time and faults ----


@often(24)
def advance(session: Session, _side: Side, a: int, b: int) -> None:
    frames = (1, session.plan.traits.period, session.plan.traits.buffer, 3 * session.plan.traits.buffer)[b % 4]
    frames = 1 + a % frames
    session.card.advance(frames)
    session.model.advance(frames)


@often(1)
def fault_xrun(session: Session, side: Side, _a: int, _b: int) -> None:
    want, _ = expected_outcome(side, lambda: session.model.xrun(side.stream))
    assert want == real_outcome(lambda: session.card.xrun(side.way))
    session.figures["fault xrun"] += 1


@often(1)
def fault_suspend(session: Session, _side: Side, _a: int, b: int) -> None:
    session.card.suspend()
    session.model.suspend()
    session.figures["fault suspend"] += 1
    if b % 4:
        fault_power(session, _side, 0, 0)


@often(1)
def fault_power(session: Session, _side: Side, _a: int, _b: int) -> None:
    session.card.resume_power()
    session.model.powered_off = False


@often(1)
def fault_freeze(session: Session, _side: Side, a: int, _b: int) -> None:
    session.model.frozen = a % 4 == 0
    session.card.freeze(session.model.frozen)
    session.figures["fault freeze"] += session.model.frozen


@often(1)
def fault_late(session: Session, side: Side, a: int, _b: int) -> None:
    side.stream.late = a % 5
    session.card.late(side.stream.late, side.way)
    session.figures["fault late"] += 1


@often(1)
def fault_position(session: Session, side: Side, _a: int, _b: int) -> None:
    side.stream.bad_position = True
    session.card.bad_position(side.way)
    session.figures["fault position"] += 1


@often(1)
def loop(session: Session, _side: Side, a: int, _b: int) -> None:
    session.card.loop = session.model.loop = bool(a & 1)


# ---- states ----


@often(4)
def prepare(session: Session, side: Side, _a: int, b: int) -> None:
    session.both(side, side.model.prepare, side.pcm.prepare if b & 1 else side.ring.prepare)


@often(5)
def start(session: Session, side: Side, _a: int, b: int) -> None:
    session.both(side, side.stream.start, side.pcm.start if b & 1 else side.ring.start)


@often(2)
def drop(session: Session, side: Side, _a: int, b: int) -> None:
    session.both(side, side.stream.drop, side.pcm.drop if b & 1 else side.ring.drop)


@often(2)
def drain(session: Session, side: Side, _a: int, _b: int) -> None:
    if not session.model.stands_still and not session.plan.traits.no_period_wakeup:
        session.both(side, side.model.drain, side.ring.drain)


@often(3)
def pause(session: Session, side: Side, a: int, b: int) -> None:
    enable = bool(a & 1)
    call = side.pcm.pause if b & 1 else side.ring.pause
    session.both(side, lambda: side.stream.pause(enable), lambda: call(enable))


@often(2)
def resume(session: Session, side: Side, _a: int, b: int) -> None:
    if not session.model.powered_off:  # the card's EAGAIN is no answer of the kernel's
        session.both(side, side.stream.resume, side.pcm.resume if b & 1 else side.ring.resume)


@often(2)
def reset(session: Session, side: Side, _a: int, b: int) -> None:
    session.both(side, side.model.reset, side.pcm.reset if b & 1 else side.ring.reset)


@often(2)
def xrun(session: Session, side: Side, _a: int, b: int) -> None:
    session.both(side, side.stream.xrun_ioctl, side.pcm.xrun if b & 1 else side.ring.xrun)


@often(3)
def rewind(session: Session, side: Side, a: int, b: int) -> None:
    frames, call = count(session, a), side.pcm.rewind if b & 1 else side.ring.rewind
    session.both(side, lambda: side.model.shift(frames, -1), lambda: call(frames))


@often(3)
def forward(session: Session, side: Side, a: int, b: int) -> None:
    frames, call = count(session, a), side.pcm.forward if b & 1 else side.ring.forward
    session.both(side, lambda: side.model.shift(frames, 1), lambda: call(frames))


@often(4)
def recover(session: Session, side: Side, _a: int, _b: int) -> None:
    session.both(side, side.model.recover, lambda: side.ring.recover(0))
    assert side.interruptions == side.model.accounts[-16:]
    assert side.ring.lost == sum(account.lost for account in side.model.accounts)


@often(1)
def refill(session: Session, side: Side, a: int, _b: int) -> None:
    side.ring.refill = side.model.refill = a % (session.plan.traits.buffer + 1)


@often(1)
def link(session: Session, side: Side, _a: int, _b: int) -> None:
    other = session.sides[1 - side.way]
    session.both(side, lambda: session.model.link(side.stream, other.stream), lambda: side.pcm.link(other.pcm))


@often(1)
def unlink(session: Session, side: Side, _a: int, _b: int) -> None:
    session.both(side, lambda: session.model.unlink(side.stream), side.pcm.unlink)


@often(16)
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
