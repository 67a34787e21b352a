"""Every frame is accounted for: played or read, or reported lost, none twice.

A ledger opens a stream on a software card and is told what to do to it; ``close`` balances the account. Values are the
frames' own numbers, from 1 on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import alsamm
from alsamm import sim
from alsamm.enums import State

__all__ = ["TROUBLES", "PlayLedger", "RecordLedger", "count_from"]

TROUBLES = ("nothing", "stall", "xrun", "suspend")


class Ledger:
    """One direction. ``doubt``: frames that the card moved and the kernel never saw, when it stopped."""

    side: str

    def __init__(self, card: sim.Card) -> None:
        self.card = card
        self.heard_of: list[alsamm.Interruption] = []
        self.doubt = 0

    def trouble(self, what: str, frames: int) -> None:
        """What happens to the card between two calls; ``frames``: how long a stall is."""
        now = getattr(self.card, self.side)
        if what == "stall":
            self.card.advance(frames)
        elif what in ("xrun", "suspend") and now.state is State.RUNNING:
            self.doubt += (now.position - now.hw_ptr) % now.boundary  # which a card that can resume shows yet
            if what == "xrun":
                self.card.xrun(self.side)
            else:
                self.card.suspend()
                self.card.resume_power()


def went_on(what: alsamm.Interruption) -> bool:
    """Whether a suspended card went on from where it was."""
    return what.kind == "suspend" and what.resumed == what.frame and not what.silence


def count_from(ring: Any, first_frame: int) -> None:
    """Let a stream's frames have numbers from here on (design decision 17)."""
    ring.set_frame(first_frame)


class PlayLedger(Ledger):
    side = "playback"
    WAYS = ("write", "write_available", "periods", "reserve")

    def __init__(self, card: sim.Card, period_size: int, buffer_size: int, *, first_frame: int = 0) -> None:
        super().__init__(card)
        self.numbers: list[tuple[int, int]] = []
        """Runs of the stream's numbers that our frames have, in order."""
        self.total = 0
        self.out = alsamm.playback(
            card.device,
            channels=1,
            dtype="i4",
            period_size=period_size,
            buffer_size=buffer_size,
            on_xrun=self.heard_of.append,
        )
        count_from(self.out.ring, first_frame)

    def write(self, how: str, frames: int) -> None:
        """By "periods" ``frames`` are as many periods."""
        out, total = self.out, self.total
        block = np.arange(total + 1, total + 1 + frames, dtype="i4")
        begin, before = out.frame, len(self.heard_of)
        if how == "write":
            done = out.write(block)
        elif how == "write_available":
            done = out.write_available(block)
        elif how == "periods":
            done = 0
            for period in out.periods(frames):
                period[:, 0] = np.arange(total + 1 + done, total + 1 + done + len(period))
                done += len(period)
        else:
            with out.reserve(len(block)) as room:
                room[:, 0] = block[: len(room)]
                done = len(room)
        for what in self.heard_of[before:]:
            if went_on(what):
                continue
            self._ran(begin, what.frame + what.lost)
            begin = what.resumed + what.silence
        self._ran(begin, out.frame)
        self.total += done
        assert sum(end - first for first, end in self.numbers) == self.total == out.stats.frames, how

    def _ran(self, begin: int, end: int) -> None:
        if end > begin:
            if self.numbers and self.numbers[-1][1] == begin:
                begin = self.numbers.pop()[0]
            self.numbers.append((begin, end))

    def reported_lost(self) -> Iterator[tuple[int, int]]:
        """First and end of the values that were."""
        gone = [(what.frame, what.frame + what.lost) for what in self.heard_of if not went_on(what)]
        value = 1
        for begin, end in self.numbers:
            for first, last in gone:
                if max(first, begin) < min(last, end):
                    yield value + max(first, begin) - begin, value + min(last, end) - begin
            value += end - begin

    def close(self) -> None:
        """Drain, and hold what was played against what was written and what was reported."""
        with self.out:
            pass  # which drains
        stats, tape = self.out.stats, self.card.played()[:, 0]
        lost = {value for run in self.reported_lost() for value in range(*run)}
        played = tape[tape != 0]
        assert (np.diff(played) > 0).all(), "a frame was played twice, or before its turn"
        missing = set(range(1, self.total + 1)) - set(played.tolist())
        assert missing <= lost, "lost, and not reported"
        assert len(lost - missing) <= self.doubt, ("reported lost, and played", self.doubt)
        assert stats.lost == sum(what.lost for what in self.heard_of)
        assert stats.xruns + stats.suspends == len(self.heard_of)


class RecordLedger(Ledger):
    side = "capture"
    WAYS = ("read", "out", "read_available", "periods")

    def __init__(
        self, card: sim.Card, period_size: int, buffer_size: int, *, first_frame: int = 0, fed: int = 100_000
    ) -> None:
        super().__init__(card)
        self.got: list[Any] = []
        self.first = first_frame
        self.mic = alsamm.capture(
            card.device,
            channels=1,
            dtype="i4",
            period_size=period_size,
            buffer_size=buffer_size,
            on_xrun=self.heard_of.append,
        )
        count_from(self.mic.ring, first_frame)
        card.feed(np.arange(1, fed, dtype="i4")[:, None])
        self.mic.start()

    def read(self, how: str, frames: int) -> None:
        """By "periods" ``frames`` are as many periods."""
        if how == "read":
            self.got.append(self.mic.read(frames))
        elif how == "out":
            self.got.append(self.mic.read(out=np.zeros((frames, 1), "i4")))
        elif how == "read_available":
            self.got.append(self.mic.read_available())
        else:
            self.got += [period.copy() for period in self.mic.periods(frames)]

    def close(self) -> None:
        self.got.append(self.mic.read(1))  # so that all trouble has come to light
        stats, number = self.mic.stats, self.mic.frame
        self.mic.close()
        values = np.concatenate(self.got)[:, 0]
        lost = sum(what.lost for what in self.heard_of)
        assert (np.diff(values) > 0).all(), "a frame was read twice, or before its turn"
        skipped = int(values[-1]) - len(values)
        assert lost <= skipped <= lost + self.doubt, ("lost, and not reported", self.doubt)
        assert (stats.frames, stats.lost) == (len(values), lost)
        assert number == self.first + len(values) + sum(what.resumed - what.frame for what in self.heard_of)
