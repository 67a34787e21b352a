"""``tone``: a test sound of exact frequency."""

from __future__ import annotations

import argparse
import itertools
import time
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

import alsamm
from alsamm.cli.devices import name_for, reached
from alsamm.cli.fitting import Helps, card_for, hardware, open_stream, transport
from alsamm.cli.levels import Levels, bar
from alsamm.cli.options import Commands, add_command, count, frequency, number, sample_format, seconds, stream_options
from alsamm.cli.report import clock, reporting, tell
from alsamm.cli.screen import Screen
from alsamm.cli.sound import Sound, describe
from alsamm.enums import Direction, Format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alsamm.wav import Frames

__all__ = ["WAVES", "add", "run", "samples"]

_EXAMPLES = """
tone                                   440 Hz in all channels, until Ctrl-C
tone 1000/3 --seconds 5                a third of a kilohertz, exactly
tone --wave sweep --seconds 10         20 Hz to 20 kHz
tone --wave noise --channel 2          one loudspeaker at a time
"""
WAVES = ("sine", "square", "saw", "noise", "sweep")
_FROM, _TO, _SWEEP = 20.0, 20_000.0, 10.0  # Hz, Hz, seconds
_LONGEST_PHASE = 1 << 62
_SEED = 1
_METER = 24
_LEVEL = number("level in dBFS", -200.0, 0.0)
# What a card may be set to, the most exact first.
_FORMATS = (Format.S32_LE, Format.S24_LE, Format.S24_3LE, Format.S16_LE, Format.FLOAT_LE, Format.FLOAT64_LE)


def add(commands: Commands) -> None:
    """Declare it."""
    command = add_command(commands, "tone", run, "play a test sound of exact frequency, until Ctrl-C", _EXAMPLES)
    command.add_argument("frequency", metavar="HZ", type=frequency, nargs="?", default=Fraction(440),
                         help="440, 432.1, 1000/3… (440)")  # fmt: skip
    command.add_argument("--wave", choices=WAVES, default="sine", help="a sweep goes from 20 Hz to 20 kHz in 10 s, "
                         "again and again (sine)")  # fmt: skip
    command.add_argument("--level", type=_LEVEL, default=-20.0, metavar="DB", help="of the peaks, dBFS (-20)")
    command.add_argument("--channel", type=count, metavar="N", help="in this one only, the first is 1 (all)")
    command.add_argument("--seconds", type=seconds, metavar="S", help="stop after so long")
    command.add_argument("--rate", type=count, metavar="R", help="Hz (48000, or what is nearest)")
    command.add_argument("--channels", type=count, metavar="C", help="(2, or what is nearest)")
    command.add_argument("--format", type=sample_format, metavar="F", help="of the card (the most exact)")
    command.add_argument("--quiet", action="store_true", help="say nothing but what went wrong")
    stream_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Play it; report on stdout."""
    with reporting(quiet=arguments.quiet):
        # The software card keeps real time where nothing else ends it.
        endless = arguments.seconds is None
        name = name_for(arguments.device, Direction.PLAYBACK)
        with reached(name, arguments.clock or ("realtime" if endless else "auto")) as device:
            card = _choose(arguments, device.name)
            stream = open_stream(arguments, device.name, Direction.PLAYBACK, card, Format.FLOAT64)
            assert isinstance(stream, alsamm.PlaybackStream)  # noqa: S101 -- the direction says so
            with stream, Screen(quiet=arguments.quiet) as screen:
                tell("device", stream.device)
                tell("transport", transport(stream))
                tell("geometry", describe(stream.pcm.geometry()))
                tell("sound", _in_words(arguments))
                _play(arguments, stream, screen)
                stream.drain()
            tell("xruns", stream.stats.xruns)
    return 0


def _in_words(arguments: argparse.Namespace) -> str:
    pitch = "" if arguments.wave in ("noise", "sweep") else f" of {arguments.frequency} Hz"
    where = "all channels" if arguments.channel is None else f"channel {arguments.channel}"
    return f"{arguments.wave}{pitch} at {arguments.level:g} dBFS in {where}"


def _choose(arguments: argparse.Namespace, name: str) -> Sound:
    pcm, hw = hardware(name, Direction.PLAYBACK)
    with pcm:
        wanted = Sound(_FORMATS[0], arguments.channels or max(2, arguments.channel or 0), arguments.rate or 48_000)
        formats = _FORMATS if arguments.format is None else (arguments.format,)
        helps = Helps("" if arguments.rate else None, "" if arguments.channels or arguments.channel else None)
        card = card_for(hw, wanted, formats, helps)
    if arguments.channel is not None and arguments.channel > card.channels:
        raise alsamm.ArgumentError(f"--channel {arguments.channel}: {name} plays {card.channels}")
    return card


def _play(arguments: argparse.Namespace, stream: alsamm.PlaybackStream, screen: Screen) -> None:
    total = None if arguments.seconds is None else max(1, round(arguments.seconds * stream.rate))
    amplitude = 10 ** (arguments.level / 20)
    levels = Levels(1, Format.FLOAT64)
    chosen = slice(None) if arguments.channel is None else slice(arguments.channel - 1, arguments.channel)
    began = time.monotonic()
    sent = 0
    for wave in samples(arguments.wave, arguments.frequency, stream.rate, stream.period_size):
        mono = wave[: None if total is None else total - sent] * amplitude
        block = np.zeros((len(mono), stream.channels))
        block[:, chosen] = mono[:, None]
        stream.write(block)
        sent += len(mono)
        if screen.seen:
            levels.add(mono)
            if screen.due:
                of = "" if total is None else f" of {clock(total / stream.rate)}"
                line = f"playing {clock(time.monotonic() - began)}{of}  {bar(levels.take()[0].rms, _METER)}"
                xruns = stream.stats.xruns
                screen.show(lambda line=line, xruns=xruns: [f"{line}  {xruns} xruns"])  # type: ignore[misc]
        if sent == total:
            return


def samples(wave: str, frequency: Fraction, rate: int, block: int) -> Iterator[Frames]:
    """Blocks of ``block`` samples for ever, float64, with peaks of 1.

    Of periodic waves the phase is a fraction of whole numbers, so after hours it is still the right one.
    """
    turns = frequency / rate  # in a frame
    p, q = turns.numerator, turns.denominator
    if q * block >= _LONGEST_PHASE:
        raise alsamm.ArgumentError(f"{frequency} Hz: of fewer digits")
    if 2 * frequency >= rate:
        raise alsamm.ArgumentError(f"{frequency} Hz: less than half of the rate, {rate} Hz")
    ahead = np.arange(block) * p % q
    random = np.random.default_rng(_SEED)
    ratio = _TO / _FROM
    for turn in itertools.count():
        if wave == "noise":
            yield random.uniform(-1, 1, block)
            continue
        if wave == "sweep":
            t = (turn * block + np.arange(block)) / rate % _SWEEP  # exponential: each octave in the same time
            yield np.sin(2 * np.pi * _FROM * _SWEEP / np.log(ratio) * (ratio ** (t / _SWEEP) - 1))
            continue
        # Frame n is at n * p / q turns; turn * block * p is of unlimited size and without an error.
        phase = (turn * block * p % q + ahead) % q / q
        if wave == "sine":
            yield np.sin(2 * np.pi * phase)
        elif wave == "square":
            yield np.where(phase < 0.5, 1.0, -1.0)  # noqa: PLR2004 -- half a turn
        else:
            yield 2 * phase - 1
