"""``latency``: the round trip through a cable, measured."""

from __future__ import annotations

import json
import statistics
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import alsamm
from alsamm.cli.correlation import SURE, Array, noise
from alsamm.cli.devices import NOT_IN_REAL_TIME, name_for, reached
from alsamm.cli.fitting import transport
from alsamm.cli.histogram import as_text, require_matplotlib
from alsamm.cli.latency_report import write
from alsamm.cli.loopback import far_end
from alsamm.cli.options import Commands, add_command, count, number, seconds
from alsamm.cli.report import reporting, say, tell
from alsamm.cli.round_trip import Run, measured
from alsamm.cli.screen import Screen
from alsamm.cli.sound import describe
from alsamm.cli.versions import versions
from alsamm.enums import Direction
from alsamm.sim.opener import CARDS

if TYPE_CHECKING:
    import argparse

__all__ = ["add", "run"]

_EXAMPLES = """
latency hw:0                            with a cable from the card's output to its input
latency hw:0 --capture hw:1             out of one card and into the other
latency hw:CARD=Loopback,DEV=0          snd-aloop: its other side hears
latency hw:0 --period 64 --buffer 256 --times 100 --report latency.html
"""

_FRAMES = 4096
_STEPS = 128  # of which the amplitude is a whole number, so that eight bits hold it exactly
_LEVEL = number("level in dBFS", -42.0, 0.0)
_GIVE_UP = 3
_CHANNELS = 2


def add(commands: Commands) -> None:
    """Declare it."""
    text = "measure the round trip from what is written to what is heard, through a cable or a loopback"
    command = add_command(commands, "latency", run, text, _EXAMPLES)
    command.add_argument("device", metavar="DEVICE", nargs="?", help="plays; by default the first card")
    command.add_argument("--capture", metavar="D", help="hears; by default the same device, or a loopback's other side")
    command.add_argument("--times", type=count, default=20, metavar="N", help="how often, each anew from open on (20)")
    command.add_argument("--rate", type=count, default=48_000, metavar="R", help="Hz (48000)")
    command.add_argument("--channels", type=count, metavar="C", help="to play on (2, or what is nearest)")
    command.add_argument("--capture-channels", type=count, metavar="C", help="to hear with (as many, or nearly)")
    command.add_argument("--period", type=count, metavar="N", help="frames from one interrupt to the next, exactly")
    command.add_argument("--buffer", type=count, metavar="N", help="frames of the whole ring, exactly")
    command.add_argument("--level", type=_LEVEL, default=-12.0, metavar="DB", help="of the noise played, dBFS (-12)")
    command.add_argument(
        "--within", type=seconds, default=0.5, metavar="S", help="that it may take beyond the buffer (0.5)"
    )
    command.add_argument("--report", type=Path, metavar="FILE", help="with a picture: .html, .md, else a folder")
    command.add_argument("--json", action="store_true", help="for programs")


@dataclass
class _Measurement:
    """What is measured, and what came of it until now."""

    wishes: dict[str, Any]
    times: int
    facts: dict[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    disturbed: int = 0

    @property
    def heard(self) -> list[Run]:
        """Those that heard something."""
        return [run for run in self.runs if run.heard]

    def open(self) -> alsamm.DuplexStream:
        """Open both, and remember what was granted."""
        io = alsamm.duplex(dtype="f4", on_xrun="raise", **self.wishes)
        out, mic = io.playback, io.capture
        self.facts = {
            "device": out.device if out.device == mic.device else f"{out.device} to {mic.device}",
            "geometry": describe(out.ring.geometry),
            "transport": f"{transport(out)}; {'one trigger' if io.linked else 'not linked'}",
        }
        return io

    def go(self, played: Array, longest: int) -> None:
        """All runs; those that came by are kept however it ends."""

        def disturbed(_why: str) -> None:
            self.disturbed += 1

        with Screen() as screen:
            for each in measured(self.open, played, self.times, longest, disturbed):
                self.runs.append(each)
                screen.show(lambda: [f"measured: run {len(self.runs)} of {self.times}"])
                if len(self.runs) == _GIVE_UP and not self.heard:
                    return

    def summary(self) -> dict[str, float | None]:
        """Figures in frames; empty where nothing was heard."""
        heard = self.heard
        if not heard:
            return {}
        places, beyond = [run.best.place for run in heard], [run.beyond for run in heard]
        delays = [run.delay for run in heard if run.delay is not None]
        return {
            "min": min(places),
            "median": statistics.median(places),
            "max": max(places),
            "jitter": max(places) - min(places),
            "offset": statistics.median(run.offset for run in heard),
            "delay": statistics.median(delays) if delays else None,
            "beyond_min": min(beyond),
            "beyond_median": statistics.median(beyond),
            "beyond_max": max(beyond),
        }

    def complaint(self) -> str | None:
        """What there is to say against it."""
        deaf = [run for run in self.runs if not run.heard]
        if not deaf:
            return None
        where = self.facts["device"]
        return f"{where}: {len(deaf)} of {len(self.runs)} runs did not hear what was played; {deaf[0].why_not()}"


def run(arguments: argparse.Namespace) -> int:
    """Measure; what was measured until then is told, and written, however it ends."""
    if arguments.report is not None:
        require_matplotlib()  # before a minute is spent, not after it
    with _wishes(arguments) as wishes:
        work = _Measurement(wishes, arguments.times)
        amplitude = round(_STEPS * 10 ** (arguments.level / 20)) / _STEPS
        try:
            work.go(noise(_FRAMES, wishes["channels"], amplitude), round(arguments.within * arguments.rate))
        finally:
            if work.runs:
                _tell(arguments, work)
    if (complaint := work.complaint()) is not None:
        raise alsamm.AlsaError(complaint)
    return 0


@contextmanager
def _wishes(arguments: argparse.Namespace) -> Generator[dict[str, Any]]:
    """What to ask ``duplex`` for. The software card hears itself."""
    with reporting(quiet=arguments.json):
        device = name_for(arguments.device, Direction.PLAYBACK, remark=NOT_IN_REAL_TIME)
    made_here = device.partition(":")[2] not in CARDS
    with reached(device) as (name, card):
        if card is not None and made_here:
            card.loop = True
        with alsamm.PCM(name, Direction.PLAYBACK) as pcm:
            hears = arguments.capture or far_end(pcm) or name
            channels = arguments.channels or _nearest(pcm, _CHANNELS)
        with alsamm.PCM(hears, Direction.CAPTURE) as pcm:
            capture_channels = arguments.capture_channels or _nearest(pcm, channels)
        yield {
            "device": name,
            "capture_device": hears,
            "rate": arguments.rate,
            "channels": channels,
            "capture_channels": capture_channels,
            "period_size": arguments.period,
            "buffer_size": arguments.buffer,
        }


def _nearest(pcm: alsamm.PCM, channels: int) -> int:
    hw = alsamm.HwParams(pcm)
    hw.nearest(channels=channels)
    return hw.channels


# ---- what came of it ----


def _tell(arguments: argparse.Namespace, work: _Measurement) -> None:
    rate: int = arguments.rate
    facts = [*work.facts.items(), *_figures(work, rate)]
    if arguments.json:
        say(json.dumps({**work.facts, "rate": rate, "disturbed": work.disturbed, **work.summary(),
                        "runs": [_as_json(run) for run in work.runs]}, indent=2))  # fmt: skip
    else:
        for number, each in enumerate(work.runs, 1):
            say(f"run {number:<7} {_line(each, rate)}")
        for key, value in facts:
            tell(key, value)
        if work.heard:
            say("\n".join(as_text([run.best.place for run in work.heard])))
    if arguments.report is not None:
        file = write(arguments.report, [*facts, *versions().items()], work.runs, rate=rate)
        if not arguments.json:
            tell("report", file)


def _line(run: Run, rate: int) -> str:
    if not run.heard:
        return f"not heard: {run.why_not()}"
    found = run.best
    place = f"{found.frame}" if found.exact else f"{found.place:.2f}"
    how = "every sample as it was sent" if found.exact else f"{found.decibels:+.1f} dB"
    inverted = ", inverted" if found.gain < 0 else ""
    return (
        f"{place} frames ({found.place / rate * 1000:.3f} ms), {run.beyond:+.2f} to the offset; snd_pcm_delay"
        f" {_frames(run.delay)}; {how}{inverted}, confidence {found.confidence:.1f}"
    )


def _figures(work: _Measurement, rate: int) -> list[tuple[str, str]]:
    """Rows of the report."""
    figures: Any = work.summary()
    heard = f"{len(work.heard)} of {len(work.runs)}"
    if work.disturbed:
        heard += f"; {work.disturbed} more were disturbed by an xrun and made again"
    rows = [("heard", heard)]
    if figures:
        beyond = figures["beyond_median"]
        three = ", ".join(f"{key} {figures[key]:.6g}" for key in ("min", "median", "max"))
        rows += [
            ("round trip", f"{three} frames; jitter {figures['jitter']:.3g}; {figures['median'] / rate * 1000:.3f} ms"),
            ("advertised", f"offset {figures['offset']:g} frames, snd_pcm_delay {_frames(figures['delay'])}"),
            ("beyond", f"{beyond:+.2f} frames ({beyond / rate * 1000:+.3f} ms): converters, the cable, the air"),
            ("channels", _channels(work.heard[-1])),
        ]
    return rows


def _frames(value: float | None) -> str:
    return "not told" if value is None else f"{value:g} frames"


def _channels(run: Run) -> str:
    """Which heard which, numbered from 1."""
    pairs = [
        f"{channel} hears {'nothing' if source is None else source + 1}" for channel, source in enumerate(run.hears, 1)
    ]
    return ", ".join(pairs) + (": swapped" if run.swapped else "")


def _as_json(run: Run) -> dict[str, object]:
    found = run.best
    return {
        "heard": run.heard,
        "frames": found.place if run.heard else None,
        "exact": found.exact,
        "confidence": found.confidence,
        "needed": SURE,
        "gain": found.gain,
        "offset": run.offset,
        "delay": run.delay,
        "peak": run.peak,
        "channels": [None if source is None else source + 1 for source in run.hears],
    }
