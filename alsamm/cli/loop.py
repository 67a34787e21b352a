"""``loop``: what is heard is played."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

import alsamm
from alsamm.cli.devices import name_for, reached
from alsamm.cli.fitting import transport
from alsamm.cli.levels import Level, Levels, meters
from alsamm.cli.live import Held, Live
from alsamm.cli.options import Commands, add_command, count, number, seconds
from alsamm.cli.report import tell
from alsamm.cli.sound import describe
from alsamm.enums import Direction

if TYPE_CHECKING:
    import argparse

__all__ = ["add", "run"]

_EXAMPLES = """
loop hw:0 --period 64 --buffer 192      a card's input to its output, as fast as it can be
loop hw:0 --capture hw:1 --resample     from one card to another, their clocks held together
loop hw:0 --gain -6 --seconds 60
"""

_GAIN = number("gain in dB", -200.0, 40.0)
_FLOOR = -99.9


def add(commands: Commands) -> None:
    """Declare it."""
    text = "play what is heard: from capture to playback, with gain, and tell the latency of it"
    command = add_command(commands, "loop", run, text, _EXAMPLES)
    command.add_argument("device", metavar="DEVICE", nargs="?", help="plays; by default the first card")
    command.add_argument("--capture", metavar="D", help="hears; by default the same device")
    command.add_argument("--rate", type=count, default=48_000, metavar="R", help="Hz (48000)")
    command.add_argument("--channels", type=count, default=2, metavar="C", help="to play on (2)")
    command.add_argument("--capture-channels", type=count, metavar="C", help="to hear with; by default as many")
    command.add_argument("--period", type=count, metavar="N", help="frames from one interrupt to the next, exactly")
    command.add_argument("--buffer", type=count, metavar="N", help="frames of the whole ring, exactly")
    command.add_argument("--latency", type=_latency, metavar="S", help="instead: seconds in the buffer, low or high")
    command.add_argument("--gain", type=_GAIN, default=0.0, metavar="DB", help="dB (0); what exceeds full scale is cut")
    command.add_argument("--resample", action="store_true", help="hold two cards' clocks together (extra: resample)")
    command.add_argument("--seconds", type=seconds, metavar="S", help="end after so long; else by Ctrl-C")


def _latency(text: str) -> float | str:
    return text if text in ("low", "high") else seconds(text)


def run(arguments: argparse.Namespace) -> int:
    """Loop until its time is over, then tell how it was."""
    name = name_for(arguments.device, Direction.PLAYBACK)
    with reached(name, "realtime") as out, reached(arguments.capture or out.name, "realtime") as mic:
        io = alsamm.duplex(
            out.name,
            mic.name,
            rate=arguments.rate,
            channels=arguments.channels,
            capture_channels=arguments.capture_channels,
            dtype="f4",
            period_size=arguments.period,
            buffer_size=arguments.buffer,
            latency=arguments.latency,
            resample=arguments.resample,
        )
        with io:
            _Loop(io, 10 ** (arguments.gain / 20)).go(arguments.seconds)
    return 0


class _Loop:
    """The work, and what is known of it."""

    def __init__(self, io: alsamm.DuplexStream, gain: float) -> None:
        self._io, self._gain = io, np.float32(gain)
        # Played from the captured channel of the same number; where there are fewer, from the first again.
        self._from = [channel % io.capture.channels for channel in range(io.playback.channels)]
        self._levels = Levels(io.playback.channels, io.playback.array_format)
        self._held = Held(io.playback.channels)

    def go(self, limit: float | None) -> None:
        """Period by period."""
        io = self._io
        for way, stream in (("playback", io.playback), ("capture", io.capture)):
            tell(way, f"{stream.device}: {describe(stream.ring.geometry)}; {transport(stream)}")
        if not io.linked:
            tell("note", "not on one trigger; two cards have two clocks, and --resample holds them together")
        try:
            with Live(limit) as live:
                for heard, played in io.periods():
                    np.multiply(heard[:, self._from], self._gain, out=played)
                    self._levels.add(played)
                    if live.due:
                        levels = self._look()
                        live.show([self._summary(levels), "", *meters(levels)])
                    if not live.going:
                        self._look()
                        break
        finally:
            if not io.closed:
                self._conclude()

    def _look(self) -> list[Level]:
        return self._held.take(self._levels.take(), time.monotonic())

    def _summary(self, levels: list[Level]) -> str:
        io = self._io
        return (
            f"{self._latency()} from in to out; xruns {_xruns(io)}; load {io.capture.stats.load:.0%};"
            f" peak {max(_FLOOR, *(level.peak for level in levels)):.1f} dBFS, {self._held.overs} overs"
            + ("" if io.linked else f"; drift {io.drift_ppm:+.1f} ppm")
        )

    def _latency(self) -> str:
        """By the numbers of the frames: what is heard in one is played when so many more are captured."""
        frames = self._io.offset
        return f"{frames} frames ({frames / self._io.rate * 1000:.1f} ms)"

    def _conclude(self) -> None:
        io = self._io
        frames = io.playback.stats.frames
        tell("looped", f"{frames} frames ({frames / io.rate:.1f} s); {self._held.overs} overs")
        if frames:
            tell("latency", self._latency())
        tell("xruns", _xruns(io))


def _xruns(io: alsamm.DuplexStream) -> str:
    return f"{io.playback.stats.xruns} playing, {io.capture.stats.xruns} capturing"
