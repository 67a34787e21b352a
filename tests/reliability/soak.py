"""``python -m tests.reliability.soak``: hours of sound whose every frame is known, on software cards or aloop.

A frame's sample is its number, so that each one that was heard tells which it was. Nothing may be lost, repeated or out
of its turn, but what an interruption reports. Figures go to docs/reliability.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np

import alsamm
from alsamm import sim
from tests.reliability.far import past_two_to_the_32
from tests.reliability.figures import keep
from tests.reliability.flat import Flat
from tests.unit.ledger import PlayLedger, count_from

__all__ = ["Listener"]

RATE, PERIOD, BUFFER = 48_000, 1024, 4096
BOUNDARY = 8 * BUFFER
_EVERY = 5.0
_FAULTS = 500
"""A fault each so many periods, on average."""
TRANSPORTS = {
    "mapped": {},
    "status mapped": {"refuse_control": True},
    "control mapped": {"refuse_status": True},
    "SYNC_PTR": {"refuse_status": True, "refuse_control": True},
}
FAR = (0, (1 << 31) - 50_000_000, (1 << 32) - 50_000_000, (1 << 53) - 50_000_000)
"""Where the frames' numbers begin (design decision 17), one for each transport."""


class Listener:
    """What comes in, against what must."""

    def __init__(self) -> None:
        self.expected = 1
        self.frames = self.silent = 0
        self.missing: list[tuple[int, int]] = []

    def hear(self, block: np.ndarray[Any, Any]) -> None:
        values = block[:, 0]
        self.frames += len(values)
        if not len(values):
            return
        if (
            values[0] == self.expected
            and values[-1] == self.expected + len(values) - 1
            and (np.diff(values) == 1).all()
        ):
            self.expected += len(values)
            return
        self.silent += int((values == 0).sum())
        for value in values[values != 0].tolist():
            assert value >= self.expected, f"frame {value} after {self.expected - 1}: twice, or before its turn"
            if value > self.expected:
                self.missing.append((self.expected, value))
            self.expected = value + 1


class Progress:
    """Tells how far a run is, now and then."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total = what, total
        self.started = self.told = time.monotonic()

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self.told > _EVERY or done >= self.total:
            self.told = now
            percent = min(100.0, 100 * done / self.total)
            print(f"{self.what}: {percent:.0f} % in {now - self.started:.0f} s", flush=True)


def _disturb(ledger: PlayLedger, mic: alsamm.CaptureStream, random: np.random.Generator) -> int:
    """Something happens; gives the capture's doubt: what the card moved and the kernel never saw.

    A capture that stops is read at once, for what is played while it stands nobody can hear.
    """
    card = ledger.card
    what = random.choice(["xrun", "stall", "capture xrun"])
    card.advance(int(random.integers(1, PERIOD)))
    if what == "capture xrun":
        unseen = (card.capture.position - card.capture.hw_ptr) % BOUNDARY
        card.xrun("capture")
        assert not len(mic.read_available())
        return unseen
    ledger.trouble(str(what), BUFFER + int(random.integers(PERIOD)))
    return 0


def software(transport: str, seconds: int, first_frame: int, *, faults: bool) -> dict[str, int]:
    """What playback plays capture hears, for so long by the card's own time."""
    random = np.random.default_rng(first_frame)
    options: dict[str, Any] = {**TRANSPORTS[transport], "boundary": BOUNDARY, "record": False, "loop": True}
    doubt = faulted = 0
    listener = Listener()
    heard_of: list[alsamm.Interruption] = []
    with (
        sim.Card(f"soak {transport}", clock="auto", **options) as card,
        alsamm.capture(
            card.device, channels=1, dtype="i4", period_size=PERIOD, buffer_size=4 * BUFFER, on_xrun=heard_of.append
        ) as mic,
    ):
        ledger = PlayLedger(card, PERIOD, BUFFER, first_frame=first_frame)
        count_from(mic.ring, first_frame)
        mic.start()
        total = seconds * RATE
        progress = Progress(f"software, {transport}{', faults' if faults else ''}", total)
        flat: Flat | None = None
        while listener.frames < total:
            ledger.write("write", PERIOD)
            listener.hear(mic.read_available())
            if flat is None and listener.frames > total // 10:
                flat = Flat()
            if faults and random.integers(_FAULTS) == 0:
                doubt += _disturb(ledger, mic, random)
                faulted += 1
            progress(listener.frames)
        ledger.out.drain()
        card.advance(PERIOD)  # so that the capture's hw_ptr tells of the last frames too (rule H1)
        listener.hear(mic.read_available())
        assert mic.frame == first_frame + listener.frames + sum(what.resumed - what.frame for what in heard_of)
        assert ledger.out.frame - first_frame >= ledger.total
        grown = flat.check(kept=40 * faulted) if flat else {}
        ledger.out.close()
    _balance(listener, ledger, mic.stats.lost + doubt)
    return {
        "frames heard": listener.frames,
        "wraps of the pointers": listener.frames // BOUNDARY,
        "faults": faulted,
        "reported lost": ledger.out.stats.lost + mic.stats.lost,
        "moved unseen when it stopped": doubt + ledger.doubt,
        "never heard": sum(end - begin for begin, end in listener.missing),
        **grown,
    }


def _balance(listener: Listener, ledger: PlayLedger, lost_by_capture: int) -> None:
    """Nothing was missing but what was reported."""
    lost = list(ledger.reported_lost())
    missing = sum(end - begin for begin, end in listener.missing) + ledger.total + 1 - listener.expected
    gone = [*listener.missing, (listener.expected, ledger.total + 1)]
    both = sum(max(0, min(a[1], b[1]) - max(a[0], b[0])) for a in gone for b in lost)
    assert missing - both <= lost_by_capture, f"{missing - both} frames were lost and not reported"
    reported = sum(end - begin for begin, end in lost)
    assert reported - both <= ledger.doubt, f"{reported - both} frames were reported lost and heard"


def aloop(card: str, seconds: int) -> dict[str, int]:
    """The kernel's own loopback: one thread writes a period and reads one (rule P11: a ring of many periods)."""
    sizes: dict[str, Any] = {"rate": RATE, "channels": 1, "dtype": "i4", "period_size": 2048, "buffer_size": 32_768}
    listener = Listener()
    written = 0
    with (
        alsamm.playback(f"hw:CARD={card},DEV=0", **sizes) as out,
        alsamm.capture(f"hw:CARD={card},DEV=1", **sizes) as mic,
    ):
        mic.start()
        total = seconds * RATE
        progress = Progress(f"aloop, {out.transport}", total)
        flat: Flat | None = None
        while listener.expected < total:
            out.write(np.arange(written + 1, written + 2049, dtype="i4"))
            written += 2048
            listener.hear(mic.read_available())
            if flat is None and listener.frames > total // 10:
                flat = Flat()
            progress(listener.expected)
        lost = out.stats.lost + mic.stats.lost
        xruns = out.stats.xruns + mic.stats.xruns
        grown = flat.check() if flat else {}
        out.drop()
    missing = sum(end - begin for begin, end in listener.missing)
    assert xruns or not missing, f"{missing} frames were lost without an xrun"
    assert missing <= lost, f"{missing} frames missing, {lost} reported"
    return {"frames heard": listener.frames, "xruns": xruns, "reported lost": lost, "never heard": missing, **grown}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.soak", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3600, help="of sound, for each transport")
    parser.add_argument("--aloop", metavar="CARD", help="in a guest of the lab: the loopback card")
    arguments = parser.parse_args()
    rows: list[dict[str, str]] = []

    def row(what: str, found: dict[str, int]) -> None:
        rows.append({"what": what, **{name: f"{value:,}" for name, value in found.items()}})
        print(rows[-1], flush=True)

    if arguments.aloop:
        name, command = "soak-aloop", f"make soak-aloop SOAK_ALOOP={arguments.seconds}"
        row(f"aloop, {arguments.seconds} s", aloop(arguments.aloop, arguments.seconds))
    else:
        name, command = "soak", f"make soak-software SOAK={arguments.seconds}"
        for (transport, first_frame), faults in (
            (pair, f) for pair in zip(TRANSPORTS, FAR, strict=True) for f in (0, 1)
        ):
            row(
                f"software, {transport}, from frame {first_frame:,}{', with faults' if faults else ''}",
                software(transport, arguments.seconds, first_frame, faults=bool(faults)),
            )
        row("software, every position to past 2^32", past_two_to_the_32())
    print(f"kept: {keep(name, command, {'seconds of sound': arguments.seconds}, rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
