"""The same on top: a stream of playback() or capture(), whose ledger balances whatever happens between its calls."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from alsamm import sim
from tests.unit.ledger import TROUBLES, PlayLedger, RecordLedger

__all__ = ["Streams"]

PERIOD, BUFFER = 64, 256
_FAR = (0, (1 << 31) - 100, (1 << 32) - 100, (1 << 53) - 100)
_names = itertools.count()


class Streams(RuleBasedStateMachine):
    """One stream of a software card whose position is exact (rule P15)."""

    figures: Counter[str] = Counter()  # noqa: RUF012 -- of all streams of a run

    @initialize(
        kind=st.sampled_from((PlayLedger, RecordLedger)),
        refuse_status=st.booleans(),
        refuse_control=st.booleans(),
        resume=st.booleans(),
        wraps=st.booleans(),
        first_frame=st.sampled_from(_FAR),
    )
    def begin(self, kind: type[PlayLedger | RecordLedger], wraps: bool, first_frame: int, **options: bool) -> None:
        wide: dict[str, Any] = {**options, "boundary": 4 * BUFFER if wraps else None}
        self.card = sim.Card(f"stream{next(_names)}", clock="auto", **wide)
        self.ledger = kind(self.card, PERIOD, BUFFER, first_frame=first_frame)

    @rule(
        how=st.sampled_from(range(4)),
        frames=st.integers(1, 3 * BUFFER),
        periods=st.integers(1, 3),
        trouble=st.sampled_from(("nothing", "nothing", *TROUBLES)),
        stall=st.one_of(st.integers(1, BUFFER), st.integers(BUFFER, 4 * BUFFER)),
    )
    def move(self, how: int, frames: int, periods: int, trouble: str, stall: int) -> None:
        ledger, way = self.ledger, self.ledger.WAYS[how]
        count = periods if way == "periods" else frames
        if isinstance(ledger, PlayLedger):
            ledger.write(way, count)
        else:
            ledger.read(way, count)
        ledger.trouble(trouble, stall)
        self.figures["stream steps"] += 1
        self.figures[f"stream {way}"] += 1
        self.figures[f"stream trouble {trouble}"] += trouble != "nothing"

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()
            self.figures["interruptions recovered from"] += len(self.ledger.heard_of)
            self.card.close()
