"""``python -m tests.model``: random steps by the hundred thousand, beside the model; figures go to docs/reliability."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Rings
from tests.model.run import careful
from tests.model.session import Session
from tests.model.streams import Streams
from tests.reliability.figures import keep

if TYPE_CHECKING:
    from hypothesis.stateful import RuleBasedStateMachine

_AT_ONCE = 2500


def _walk(machine: type[RuleBasedStateMachine], figures: Counter[str], what: str, steps: int) -> None:
    """Make random steps, in portions, telling how far it is."""
    started = time.monotonic()
    while (done := figures[what]) < steps:
        print(f"{what}: {done:,} of {steps:,}, {time.monotonic() - started:.0f} s", flush=True)
        run_state_machine_as_test(machine, settings=careful(min(_AT_ONCE, steps - done)))
    print(f"{what}: {figures[what]:,}, {time.monotonic() - started:.0f} s", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000, help="of the rings; of the streams a tenth of it more")
    steps = parser.parse_args().steps
    _walk(Rings, Session.figures, "steps", steps)
    _walk(Streams, Streams.figures, "stream steps", steps // 10)
    figures = Session.figures + Streams.figures
    kinds = ("operation ", "state ", "fault ", "stream ")
    told = {name: count for name, count in figures.items() if not name.startswith(kinds) or name == "stream steps"}
    rows = [
        {"what": name, "times": str(count)}
        for kind in kinds
        for name, count in sorted(figures.items())
        if name.startswith(kind) and name != "stream steps"
    ]
    print(f"kept: {keep('model', 'make model', told, rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
