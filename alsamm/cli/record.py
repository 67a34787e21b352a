"""``record``: a card to a WAV file."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

import alsamm
from alsamm.cli.devices import name_for, opened
from alsamm.cli.interrupts import interrupts
from alsamm.cli.options import Commands, add_command, count, sample_format, seconds, stream_options
from alsamm.cli.report import Progress, tell
from alsamm.cli.streams import Sizes, Sound, choose, describe, source
from alsamm.cli.widening import narrowed
from alsamm.enums import Direction, Format
from alsamm.wav import FORMATS, WavWriter

if TYPE_CHECKING:
    import argparse

    from alsamm.cli.streams import Source

__all__ = ["add", "run"]

_EXAMPLES = """
record take.wav                        until Ctrl-C
record take.wav --seconds 10
"""

_RATE = 48_000
_CHANNELS = 2
# What a WAV file can keep, S24_LE as S24_3LE.
_PREFERRED = (
    Format.S16_LE,
    Format.S32_LE,
    Format.S24_3LE,
    Format.S24_LE,
    Format.FLOAT_LE,
    Format.FLOAT64_LE,
    Format.U8,
)


def add(commands: Commands) -> None:
    """Declare it."""
    text = "record a WAV file, until Ctrl-C or for --seconds"
    command = add_command(commands, "record", run, text, _EXAMPLES)
    command.add_argument("file", metavar="FILE")
    command.add_argument("--seconds", type=seconds, metavar="S", help="stop after so long")
    command.add_argument("--rate", type=count, metavar="R", help="Hz (48000, or what is nearest)")
    command.add_argument("--channels", type=count, metavar="C", help="(2, or what is nearest)")
    command.add_argument("--format", type=sample_format, metavar="F", help="of the card, e.g. S16_LE or S24_3LE")
    stream_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Record; report on stdout."""
    # The software card keeps real time here: an unending recording of silence would fill the disk at full speed.
    name = name_for(arguments.device, Direction.CAPTURE, remark=", which hears silence")
    with opened(name, Direction.CAPTURE, clock="realtime") as (pcm, _):
        sound = choose(pcm, [_wanted(arguments, pcm)], Sizes(arguments.period, arguments.buffer))
        kept = Format.S24_3LE if sound.format is Format.S24_LE else sound.format
        limit = None if arguments.seconds is None else max(1, math.ceil(arguments.seconds * sound.rate))
        with (
            source(pcm, sync_ptr=arguments.sync_ptr) as mic,
            WavWriter(arguments.file, kept, sound.channels, sound.rate) as wav,
            Progress("recorded", sound.rate, limit) as progress,
        ):
            tell("device", pcm.name)
            tell("transport", mic.transport)
            tell("geometry", describe(pcm.geometry()))
            overruns = _record(mic, wav, limit, progress, narrow=kept is not sound.format)
    tell("recorded", f"{wav.frames} frames, {wav.frames / sound.rate:.2f} s")
    tell("xruns", overruns)
    tell("file", f"{arguments.file} ({Sound(kept, sound.channels, sound.rate)})")
    return 0


def _wanted(arguments: argparse.Namespace, pcm: alsamm.PCM) -> Sound:
    """The user's wishes, else what is usual, else what the card can do."""
    hw = alsamm.HwParams(pcm)
    rate = arguments.rate or hw.nearest(rate=_RATE)
    channels = arguments.channels or hw.nearest(channels=_CHANNELS)
    sample_format = arguments.format
    if sample_format is None:
        can = hw.formats
        sample_format = next((each for each in _PREFERRED if each in can), None)
        if sample_format is None:
            raise alsamm.UnsupportedError(f"{pcm.name}: a WAV file can keep none of its formats: {_names(can)}")
    elif sample_format not in _PREFERRED:
        raise alsamm.UnsupportedError(f"a WAV file cannot keep {sample_format} samples; {_names(FORMATS)} it can")
    return Sound(sample_format, channels, rate)


def _names(formats: object) -> str:
    return ", ".join(map(str, formats)) if isinstance(formats, (list, tuple)) else str(formats)


def _record(mic: Source, wav: WavWriter, limit: int | None, progress: Progress, *, narrow: bool) -> int:
    """Until the limit, Ctrl-C or the end of what a WAV file holds; gives the overruns."""
    overruns = 0
    with interrupts() as interrupted:
        mic.start()
        while not interrupted and (limit is None or wav.frames < limit):
            try:
                mic.wait()
                frames = mic.read()
            except alsamm.XrunError:
                overruns += 1
                _again(mic)
                continue
            except alsamm.SuspendedError:
                _again(mic)
                continue
            if limit is not None:
                frames = frames[: limit - wav.frames]
            if wav.write(narrowed(frames) if narrow else frames) < len(frames):
                tell("note", "a WAV file holds no more than 4 GiB: stopped there")
                break
            progress.at(wav.frames)
    return overruns


def _again(mic: Source) -> None:
    with suppress(alsamm.StateError):  # stopped already
        mic.drop()
    mic.prepare()
    mic.start()
