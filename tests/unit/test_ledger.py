"""Every frame is accounted for: random schedules on software cards. tests/model has them grow step by step."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from alsamm import sim
from tests.unit.ledger import PlayLedger, RecordLedger

PERIOD, BUFFER = 64, 256
SCHEDULES, CHUNK = 1000, 100  # of each direction; so many in one test
_names = itertools.count()


def a_card(random: np.random.Generator) -> sim.Card:
    """Mapped or not, able to resume or not, near its boundary or not.

    Its position is exact: one that tells it coarsely may be past a frame before anybody can know (rule P15).
    """
    options: dict[str, Any] = {
        "refuse_status": bool(random.integers(2)),
        "refuse_control": bool(random.integers(2)),
        "resume": bool(random.integers(2)),
        "boundary": int(random.choice([0, 4 * BUFFER])) or None,
    }
    return sim.Card(f"ledger{next(_names)}", clock="auto", **options)


def run(seed: int, kind: type[PlayLedger | RecordLedger]) -> None:
    print(f"seed {seed}")  # which pytest shows of a failure
    random = np.random.default_rng(seed)
    with a_card(random) as card:
        ledger = kind(card, PERIOD, BUFFER)
        move = ledger.write if isinstance(ledger, PlayLedger) else ledger.read
        for _ in range(int(random.integers(3, 12))):
            frames = int(random.integers(1, 3 * BUFFER))
            how = str(random.choice(ledger.WAYS))
            move(how, int(random.integers(1, 4)) if how == "periods" else frames)
            what = random.choice(["nothing", "stall", "long stall", "xrun", "suspend"], p=[0.4, 0.3, 0.1, 0.1, 0.1])
            least, most = (BUFFER, 4 * BUFFER) if what == "long stall" else (1, BUFFER)
            ledger.trouble(str(what).removeprefix("long "), int(random.integers(least, most)))
        ledger.close()


@pytest.mark.parametrize("chunk", range(SCHEDULES // CHUNK))
@pytest.mark.parametrize("kind", [PlayLedger, RecordLedger], ids=["played", "read"])
def test_every_frame_is_moved_or_reported_lost(kind: type[PlayLedger | RecordLedger], chunk: int) -> None:
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        run(seed, kind)
