"""``monitor``: the levels of what is heard, and the ring that it comes through."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

import alsamm
from alsamm.cli.devices import name_for, reached
from alsamm.cli.fitting import transport
from alsamm.cli.levels import Level, Levels, meters
from alsamm.cli.live import Held, Live
from alsamm.cli.options import Commands, add_command, count, frequency, seconds
from alsamm.cli.report import tell
from alsamm.cli.ring_picture import place_of, ring_lines
from alsamm.cli.sound import describe
from alsamm.cli.tone import samples
from alsamm.enums import Direction

if TYPE_CHECKING:
    import argparse

    from alsamm.cli.correlation import Array

__all__ = ["add", "run"]

_EXAMPLES = """
monitor                                 what the first card hears, until Ctrl-C
monitor hw:CARD=USB,DEV=0 --seconds 10  not on a terminal: a line a second
monitor hw:0 --tone 440                 the ring of playback, with a tone of -20 dBFS in it
"""

_Stream: TypeAlias = alsamm.CaptureStream | alsamm.PlaybackStream
_AMPLITUDE = 0.1
_BESIDE = 44  # columns of the words behind the ring
_LEAST, _MOST = 16, 96
_FLOOR = -99.9


def add(commands: Commands) -> None:
    """Declare it."""
    text = "show live what a device hears: levels, the ring with both pointers, xruns and the card's clock"
    command = add_command(commands, "monitor", run, text, _EXAMPLES)
    command.add_argument("device", metavar="DEVICE", nargs="?", help="by default the first card")
    command.add_argument("--tone", type=frequency, metavar="HZ", help="play a tone, and show that instead")
    command.add_argument("--seconds", type=seconds, metavar="S", help="end after so long")
    command.add_argument("--rate", type=count, default=48_000, metavar="R", help="Hz (48000, or what is nearest)")
    command.add_argument("--channels", type=count, default=2, metavar="C", help="(2, or what is nearest)")
    command.add_argument("--period", type=count, metavar="N", help="frames from one interrupt to the next")
    command.add_argument("--buffer", type=count, metavar="N", help="frames of the whole ring")


def run(arguments: argparse.Namespace) -> int:
    """Show it until its time is over, then tell how it was."""
    direction = Direction.CAPTURE if arguments.tone is None else Direction.PLAYBACK
    with reached(name_for(arguments.device, direction), "realtime") as device:
        wishes: dict[str, Any] = {
            "rate": arguments.rate,
            "channels": arguments.channels,
            "period_size": arguments.period,
            "buffer_size": arguments.buffer,
        }
        if arguments.tone is None:
            with alsamm.capture(device.name, dtype="f4", nearest=True, **wishes) as mic:
                _watch(mic, mic.read_available, arguments.seconds)
        else:
            with alsamm.playback(device.name, dtype="f4", nearest=True, **wishes) as out:
                _watch(out, _tone(out, arguments.tone), arguments.seconds)
    return 0


def _tone(out: alsamm.PlaybackStream, hz: Fraction) -> Callable[[], Array]:
    """What plays a period of a tone, on every channel, and gives it."""
    waves = samples("sine", hz, out.rate, out.period_size)

    def play() -> Array:
        block = np.repeat((_AMPLITUDE * next(waves)).astype("f4")[:, None], out.channels, axis=1)
        out.write(block)
        return block

    return play


def _watch(stream: _Stream, move: Callable[[], Array], limit: float | None) -> None:
    """Wait for the card, look at its ring, then ``move`` what there is; tell how it was however it ends."""
    levels, held = Levels(stream.channels, stream.array_format), Held(stream.channels)
    tell("device", stream.device)
    tell("transport", transport(stream))
    tell("geometry", describe(stream.ring.geometry))
    try:
        with Live(limit) as live:
            move()  # which starts it
            while live.going:
                stream.wait()
                if live.due:
                    now = held.take(levels.take(), time.monotonic())
                    live.show([_summary(stream, now, held.overs), "", *_ring(stream, live.width), "", *meters(now)])
                levels.add(move())
                stream.time()
    finally:
        if not stream.closed:
            held.take(levels.take(), time.monotonic())
            _conclude(stream, held.overs)


def _summary(stream: _Stream, levels: list[Level], overs: int) -> str:
    loudest = max(level.peak for level in levels)
    rms = max(level.rms for level in levels)
    return (
        f"peak {max(loudest, _FLOOR):6.1f} RMS {max(rms, _FLOOR):6.1f} dBFS, {overs} overs; {_fill(stream)};"
        f" xruns {stream.stats.xruns}; clock {clock_of(stream)}"
    )


def _fill(stream: _Stream) -> str:
    place = place_of(stream.ring)
    filled = stream.stats.queued if place is None else place.fill
    return f"fill {filled / stream.buffer_size:4.0%}"


def clock_of(stream: _Stream) -> str:
    """How far the card's clock is from the system's."""
    clock = stream.clock
    return f"{clock.ppm:+.1f} +-{clock.rate_error_ppm:.1f} ppm"


def _ring(stream: _Stream, columns: int) -> list[str]:
    place = place_of(stream.ring)
    if place is None:
        return [f"alsa-lib makes this PCM: {stream.stats.queued} of {stream.buffer_size} frames in its buffer"]
    return ring_lines(place, min(max(columns - _BESIDE, _LEAST), _MOST))


def _conclude(stream: _Stream, overs: int) -> None:
    stats = stream.stats
    tell("frames", f"{stats.frames} ({stats.frames / stream.rate:.1f} s); {overs} overs")
    tell("xruns", f"{stats.xruns}; {stats.lost} frames lost")
    tell("clock", clock_of(stream))
