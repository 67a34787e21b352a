"""The generator: random operations, one after the other, on cards of all kinds."""

from __future__ import annotations

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.model.kernel import Traits
from tests.model.operations import OPERATIONS, Operation, perform
from tests.model.session import Plan, Session

__all__ = ["Rings", "operations", "plans"]

_NUMBER = st.integers(0, 1 << 16)
_NAMES = [name for name, (weight, _) in OPERATIONS.items() for _ in range(weight)]
operations = st.tuples(st.sampled_from(_NAMES), st.sampled_from((0, 1)), _NUMBER, _NUMBER)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Rings of 32 to 256 frames that wrap after two to eight turns."""
    period = draw(st.sampled_from((16, 48, 64)))
    buffer = draw(st.sampled_from((2, 3, 4))) * period
    flag = st.booleans()
    seldom = st.sampled_from((False, False, False, True))
    return Plan(
        Traits(
            period=period,
            buffer=buffer,
            boundary=buffer * draw(st.sampled_from((2, 2, 3, 8))),
            granularity=draw(st.sampled_from((1, 1, 1, 16))) if buffer % 16 == 0 else 1,
            pause=not draw(seldom),
            resume=draw(flag),
            no_rewinds=draw(seldom),
            no_period_wakeup=draw(seldom),
            delay=draw(st.sampled_from((0, 0, 5))),
        ),
        noninterleaved=draw(flag),
        refuse_status=draw(flag),
        refuse_control=draw(flag),
        force_sync_ptr=draw(seldom),
        loop=draw(flag),
        unplugged=draw(seldom),
    )


class Rings(RuleBasedStateMachine):
    """Both rings of one software card."""

    @initialize(plan=plans())
    def begin(self, plan: Plan) -> None:
        self.session = Session(plan)

    @rule(operation=operations)
    def step(self, operation: Operation) -> None:
        self.session.figures["steps"] += 1
        perform(self.session, operation)
        self.session.compare()

    def teardown(self) -> None:
        if session := getattr(self, "session", None):
            note(f"wraps: {[side.stream.wraps for side in session.sides]}")
            session.figures["wraps of hw_ptr"] += sum(side.stream.wraps for side in session.sides)
            session.figures["wraps of appl_ptr"] += sum(side.model.wraps for side in session.sides)
            session.close()
