"""``record``: a card to a sound file."""

from __future__ import annotations

import math
import signal
from contextlib import closing
from typing import TYPE_CHECKING

import alsamm
from alsamm.cli.devices import name_for, reached
from alsamm.cli.fitting import Converter, Helps, card_for, hardware, open_stream, require_soxr, transport
from alsamm.cli.interrupts import Ended, interrupts
from alsamm.cli.levels import Levels, bar, loudest_of, meters
from alsamm.cli.options import Commands, add_command, end_option, sound_options, stream_options
from alsamm.cli.reading import STANDARD
from alsamm.cli.report import clock, reporting, tell
from alsamm.cli.screen import Screen
from alsamm.cli.sound import Sound, describe
from alsamm.cli.writing import keeps, kept_sound, open_target
from alsamm.enums import Direction

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from alsamm.cli.writing import Target
    from alsamm.enums import Format
    from alsamm.wav import Frames

__all__ = ["add", "run"]

_EXAMPLES = """
record take.wav                                until Ctrl-C, which keeps what there is
record take.flac --seconds 10 --device hw:1    FLAC, OGG, AIFF… with soundfile
record take.wav --rate 16000 --channels 1 --resample --mix
record - | sox -t wav - take.mp3               into a pipe
record - --raw --format S16_LE --quiet | ./my-program
"""
_RATE = 48_000
_CHANNELS = 2
_METER = 24


def add(commands: Commands) -> None:
    """Declare it."""
    text = "record a sound file, until Ctrl-C or for --seconds"
    command = add_command(commands, "record", run, text, _EXAMPLES)
    command.add_argument("file", metavar="FILE", help="WAV; by its ending FLAC, OGG… with soundfile; - is stdout")
    end_option(command)
    sound_options(command, "of the card; 48000, 2 and S16_LE, or what is nearest")
    stream_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Record; report on stdout, or on stderr where the sound goes to stdout."""
    to_stdout = arguments.file == STANDARD
    with reporting(quiet=arguments.quiet, on_stderr=to_stdout):
        # The software card keeps real time: an unending recording of silence would fill the disk at full speed.
        name = name_for(arguments.device, Direction.CAPTURE, remark=", which hears silence")
        with reached(name, arguments.clock or "realtime") as device:
            card, converter, sound = _choose(arguments, device.name)
            stream = open_stream(arguments, device.name, Direction.CAPTURE, card, card.format)
            assert isinstance(stream, alsamm.CaptureStream)  # noqa: S101 -- the direction says so
            with stream, closing(open_target(arguments.file, sound, raw=arguments.raw)) as target:
                tell("device", stream.device)
                tell("transport", transport(stream))
                tell("geometry", describe(stream.pcm.geometry()))
                recording = _Recording(arguments, stream, target, sound)
                try:
                    number = recording.run(converter)
                except (OSError, alsamm.AlsaError):
                    if not to_stdout:
                        recording.tell()
                    raise
            recording.tell()
    if number not in (0, signal.SIGINT):
        raise Ended(number)
    return 0


def _choose(arguments: argparse.Namespace, name: str) -> tuple[Sound, Converter, Sound]:
    """What the card is set to; what makes of that what the file is to keep; and that."""
    formats = keeps(arguments.file, raw=arguments.raw)
    if arguments.resample:
        require_soxr()
    if arguments.format is not None and arguments.format not in formats:
        raise alsamm.UnsupportedError(f"{_kind(arguments)} cannot keep {arguments.format} samples; it can "
                                      f"{_names(formats)}")  # fmt: skip
    pcm, hw = hardware(name, Direction.CAPTURE)
    with pcm:
        there = hw.formats
        if arguments.format is None and not any(each in there for each in formats):
            raise alsamm.UnsupportedError(f"{name}: {_kind(arguments)} can keep none of its formats: {_names(there)}")
        wanted = Sound(formats[0], arguments.channels or _CHANNELS, arguments.rate or _RATE)
        helps = Helps(
            rate="--resample converts" if arguments.rate and not arguments.resample else None,
            channels="--mix copies or mixes" if arguments.channels and not arguments.mix else None,
        )
        card = card_for(hw, wanted, formats if arguments.format is None else (arguments.format,), helps)
    channels, rate = arguments.channels or card.channels, arguments.rate or card.rate
    converter = Converter(card, channels, rate, to_native=False)
    return card, converter, Sound(converter.format, channels, rate)


def _kind(arguments: argparse.Namespace) -> str:
    if arguments.raw:
        return "a file of samples"
    ending = arguments.file.rpartition(".")[2].upper() if "." in arguments.file else "WAV"
    return f"a {ending} file"


def _names(formats: Sequence[Format]) -> str:
    return ", ".join(map(str, formats))


class _Recording:
    """From a stream to a file."""

    def __init__(self, arguments: argparse.Namespace, mic: alsamm.CaptureStream, target: Target, sound: Sound) -> None:
        self._arguments = arguments
        self._mic = mic
        self._target = target
        self._sound = sound
        self._levels = Levels(sound.channels, sound.format)
        self._seconds: float | None = arguments.seconds

    def run(self, converter: Converter) -> int:
        """Until it is long enough, the file is full, or somebody ends it; gives the signal, or 0."""
        limit = None if self._seconds is None else max(1, math.ceil(self._seconds * self._sound.rate))
        with interrupts() as interrupted, Screen(quiet=self._arguments.quiet) as screen:
            for block in converter.blocks(self._heard(interrupted)):
                fitting = block if limit is None else block[: limit - self._target.frames]
                if self._target.write(fitting) < len(fitting):
                    screen.clear()
                    tell("note", "a WAV file holds no more than 4 GiB: stopped there")
                    break
                if screen.seen:
                    self._levels.add(block)
                    screen.show(self._picture)
            return interrupted[0] if interrupted else 0

    def _heard(self, interrupted: Sequence[int]) -> Iterator[Frames]:
        mic = self._mic
        left = None if self._seconds is None else max(1, math.ceil(self._seconds * mic.rate))
        while not interrupted and left != 0:
            block = mic.blank(mic.period_size if left is None else min(mic.period_size, left))
            try:
                mic.read(out=block)
            except BaseException:
                yield block[: mic.frames_done]
                raise
            left = None if left is None else left - len(block)
            yield block
        if interrupted:
            yield mic.read_available()

    def _picture(self) -> Sequence[str]:
        at = self._target.frames / self._sound.rate
        levels = self._levels.take()
        xruns = self._mic.stats.xruns
        so_far = clock(at)
        if self._seconds is not None:
            so_far += f" of {clock(self._seconds)}, {clock(self._seconds - at)} left"
        loudest = loudest_of(levels).rms
        first = f"recording {so_far}  {bar(loudest, _METER)}  {f'{xruns} xruns' if xruns else 'no xruns'}"
        return [first, *meters(levels), self._arguments.file]

    def tell(self) -> None:
        """How it went."""
        frames, stats = self._target.frames, self._mic.stats
        tell("recorded", f"{frames} frames, {frames / self._sound.rate:.2f} s")
        tell("xruns", stats.xruns)
        if stats.lost:
            tell("lost", f"{stats.lost} frames that nobody fetched in time")
        name = "standard output" if self._arguments.file == STANDARD else self._arguments.file
        tell("file", f"{name} ({kept_sound(self._sound, raw=self._arguments.raw)})")
