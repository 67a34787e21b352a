"""Sequences in which the card and its model once differed."""

from __future__ import annotations

import contextlib

import pytest

from tests.model.kernel import Traits
from tests.model.operations import Operation, perform
from tests.model.session import Plan, Session

_SMALL = Traits(
    period=16, buffer=32, boundary=64, granularity=1, pause=True, resume=False,
    no_rewinds=False, no_period_wakeup=False, delay=0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("plan", "operations"),
    [
        # appl_ptr is ahead of hw_ptr when the capture starts: an xrun, and nothing that could be skipped.
        pytest.param(Plan(_SMALL), [("appl_ptr", 1, 1, 0), ("fill", 1, 1, 1)], id="filled, with appl_ptr ahead"),
    ],
)
def test_they_agree(plan: Plan, operations: list[Operation]) -> None:
    with contextlib.closing(Session(plan)) as session:
        for operation in operations:
            perform(session, operation)
            session.compare()
