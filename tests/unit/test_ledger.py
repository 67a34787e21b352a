"""Every frame is accounted for: played or read, or reported lost, none twice. Random schedules on software cards."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm.enums import State

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


class Trouble:
    """What happens to a card between two calls; ``doubt``: frames that the card moved and the kernel never saw."""

    def __init__(self, card: sim.Card, side: str, random: np.random.Generator) -> None:
        self.card, self.side, self.random = card, side, random
        self.doubt = 0

    def __call__(self) -> None:
        now = getattr(self.card, self.side)
        what = self.random.choice(["nothing", "stall", "long stall", "xrun", "suspend"], p=[0.4, 0.3, 0.1, 0.1, 0.1])
        if what == "stall":
            self.card.advance(int(self.random.integers(1, BUFFER)))
        elif what == "long stall":
            self.card.advance(int(self.random.integers(BUFFER, 4 * BUFFER)))
        elif what in ("xrun", "suspend") and now.state is State.RUNNING:
            unseen = (now.position - now.hw_ptr) % now.boundary
            if what == "xrun":
                self.card.xrun(self.side)
                self.doubt += unseen
            else:
                self.card.suspend()
                self.card.resume_power()
                self.doubt += unseen  # which a card that can resume shows yet


def went_on(what: alsamm.Interruption) -> bool:
    """Whether a suspended card went on from where it was."""
    return what.kind == "suspend" and what.resumed == what.frame and not what.silence


def play(seed: int) -> None:
    random = np.random.default_rng(seed)
    numbers: list[tuple[int, int]] = []  # runs of the stream's numbers that our frames have, in order
    lost: set[int] = set()
    heard_of: list[alsamm.Interruption] = []
    with a_card(random) as card:
        trouble = Trouble(card, "playback", random)
        total = 0
        with alsamm.playback(
            card.device, channels=1, dtype="i4", period_size=PERIOD, buffer_size=BUFFER, on_xrun=heard_of.append
        ) as out:
            for _ in range(int(random.integers(3, 12))):
                block = np.arange(total + 1, total + 1 + int(random.integers(1, 3 * BUFFER)), dtype="i4")
                begin, before = out.frame, len(heard_of)
                how = random.choice(["write", "write_available", "periods", "reserve"])
                if how == "write":
                    done = out.write(block)
                elif how == "write_available":
                    done = out.write_available(block)
                elif how == "periods":
                    done = 0
                    for period in out.periods(int(random.integers(1, 4))):
                        period[:, 0] = np.arange(total + 1 + done, total + 1 + done + len(period))
                        done += len(period)
                else:
                    with out.reserve(len(block)) as room:
                        room[:, 0] = block[: len(room)]
                        done = len(room)
                for what in heard_of[before:]:
                    if went_on(what):
                        continue
                    if what.frame + what.lost > begin:
                        numbers.append((begin, what.frame + what.lost))
                    begin = what.resumed + what.silence
                numbers.append((begin, out.frame))
                total += done
                assert sum(end - first for first, end in numbers) == total == out.stats.frames, (seed, how)
                trouble()
        stats, tape = out.stats, card.played()[:, 0]
    ours = {number: index + 1 for index, number in enumerate(n for run in numbers for n in range(*run))}
    for what in heard_of:
        if not went_on(what):
            lost |= {ours[n] for n in range(what.frame, what.frame + what.lost) if n in ours}
    played = tape[tape != 0]
    assert (np.diff(played) > 0).all(), (seed, "a frame was played twice, or before its turn")
    missing = set(range(1, total + 1)) - set(played.tolist())
    assert missing <= lost, (seed, "lost, and not reported")
    assert len(lost - missing) <= trouble.doubt, (seed, "reported lost, and played", trouble.doubt)
    assert stats.lost == sum(what.lost for what in heard_of)
    assert stats.xruns + stats.suspends == len(heard_of)


def record(seed: int) -> None:
    random = np.random.default_rng(seed)
    heard_of: list[alsamm.Interruption] = []
    got: list[Any] = []
    with a_card(random) as card:
        trouble = Trouble(card, "capture", random)
        with alsamm.capture(
            card.device, channels=1, dtype="i4", period_size=PERIOD, buffer_size=BUFFER, on_xrun=heard_of.append
        ) as mic:
            card.feed(np.arange(1, 100_000, dtype="i4")[:, None])
            mic.start()
            for _ in range(int(random.integers(3, 12))):
                frames = int(random.integers(1, 3 * BUFFER))
                how = random.choice(["read", "out", "read_available", "periods"])
                if how == "read":
                    got.append(mic.read(frames))
                elif how == "out":
                    got.append(mic.read(out=np.zeros((frames, 1), "i4")))
                elif how == "read_available":
                    got.append(mic.read_available())
                else:
                    got += [period.copy() for period in mic.periods(int(random.integers(1, 4)))]
                trouble()
            got.append(mic.read(1))  # so that all trouble has come to light
            stats, number = mic.stats, mic.frame
    values = np.concatenate(got)[:, 0]
    lost = sum(what.lost for what in heard_of)
    assert (np.diff(values) > 0).all(), (seed, "a frame was read twice, or before its turn")
    skipped = int(values[-1]) - len(values)
    assert lost <= skipped <= lost + trouble.doubt, (seed, "lost, and not reported", trouble.doubt)
    assert (stats.frames, stats.lost) == (len(values), lost)
    assert number == len(values) + sum(what.resumed - what.frame for what in heard_of)


@pytest.mark.parametrize("chunk", range(SCHEDULES // CHUNK))
def test_every_frame_is_played_or_reported_lost(chunk: int) -> None:
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        play(seed)


@pytest.mark.parametrize("chunk", range(SCHEDULES // CHUNK))
def test_every_frame_is_read_or_reported_lost(chunk: int) -> None:
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        record(seed)
