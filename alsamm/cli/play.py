"""``play``: sound files to a card."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

import alsamm
from alsamm.cli.devices import NOT_IN_REAL_TIME, name_for, reached
from alsamm.cli.fitting import Converter, Helps, card_for, hardware, open_stream, require_soxr, transport
from alsamm.cli.levels import Level, Levels, bar, loudest_of, meters
from alsamm.cli.options import Commands, add_command, seconds, sound_options, stream_options
from alsamm.cli.reading import open_source, require_file
from alsamm.cli.report import clock, reporting, tell
from alsamm.cli.screen import Screen
from alsamm.cli.sound import Sound, describe, native_format, silence
from alsamm.enums import Direction, Format

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from typing_extensions import Self

    from alsamm.cli.reading import Source

__all__ = ["Player", "add", "run"]

_EXAMPLES = """
play song.wav                                  on the first card
play side-a.flac side-b.flac --device hw:1     one after the other, without a gap where their format is the same
play song.wav --device plughw:1                converted by alsa-lib to what the card takes
play song.wav --resample --mix                 converted here, as far as the card needs it
play song.wav --start 60 --seconds 10
sox song.mp3 -t wav - | alsamm play -          from a pipe
play noise.raw --raw --format S16_LE --rate 44100 --channels 2
"""
_TAIL = 10  # parts of a second, as alsa-lib puts behind a drain
_METER = 24


def add(commands: Commands) -> None:
    """Declare it."""
    text = "play sound files; samples are never converted unasked, but for lossless widening"
    command = add_command(commands, "play", run, text, _EXAMPLES)
    command.add_argument("file", metavar="FILE", nargs="+", help="WAV; FLAC, OGG, AIFF… with soundfile; - is stdin")
    command.add_argument("--start", type=seconds, metavar="S", help="leave out so many seconds of each file")
    command.add_argument("--seconds", type=seconds, metavar="S", help="play no more of each file than this")
    sound_options(command, "of the card; with --raw of the file")
    stream_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Play; report on stdout."""
    for path in arguments.file:
        require_file(path)
    with reporting(quiet=arguments.quiet):
        name = name_for(arguments.device, Direction.PLAYBACK, remark="" if arguments.clock else NOT_IN_REAL_TIME)
        with reached(name, arguments.clock or "auto") as device, Player(arguments, device.name) as player:
            for path in arguments.file:
                with open_source(path, _raw_sound(arguments)) as source:
                    source.cut(arguments.start, arguments.seconds)
                    player.play(source)
            player.finish()
    return 0


def _raw_sound(arguments: argparse.Namespace) -> Sound | None:
    """What files without a header hold: S16_LE, 2 channels, 48 kHz where the options say nothing else."""
    if not arguments.raw:
        return None
    return Sound(
        Format.S16_LE if arguments.format is None else arguments.format,
        arguments.channels or 2,
        arguments.rate or 48_000,
    )


def _help(allowed: bool, named: int | None, hint: str) -> str | None:
    if named is not None:
        return ""
    return None if allowed else hint


class Player:
    """Plays sources one after the other, in one stream for as long as their sound is the same.

    Leaving ``with`` stops what still plays.

    Synchronization: none; one thread at a time.
    """

    def __init__(self, arguments: argparse.Namespace, name: str) -> None:
        self._arguments = arguments
        self._name = name
        self._screen = Screen(quiet=arguments.quiet)
        self._stream: alsamm.PlaybackStream | None = None
        self._source: Source | None = None
        self._levels = Levels(0, Format.S16)
        self._coming: deque[tuple[int, list[Level]]] = deque()
        self._heard: list[Level] = []
        self._sent, self._told, self._began = 0, False, 0.0
        self.card = Sound(Format.S16, 0, 0)
        """What the card is set to."""

    @property
    def stream(self) -> alsamm.PlaybackStream:
        """Where it plays. StateError where nothing does."""
        if self._stream is None:
            raise alsamm.StateError("no stream is open")
        return self._stream

    def open(self, source: Source) -> None:
        """Be ready for a source: with the stream that there is, if it is for such sound, else with a new one."""
        if self._stream is not None and self._source is not None and self._source.is_like(source):
            return
        self.finish()
        self.card, held = self._choose(source)
        stream = open_stream(self._arguments, self._name, Direction.PLAYBACK, self.card, held)
        assert isinstance(stream, alsamm.PlaybackStream)  # noqa: S101 -- the direction says so
        self._stream, self._source = stream, source
        self._levels = Levels(stream.channels, stream.array_format)
        self._coming.clear()
        self._heard = self._levels.take()
        self._sent, self._told, self._began = 0, False, time.monotonic()

    def _choose(self, source: Source) -> tuple[Sound, Format]:
        """What the card is set to, and what it is handed."""
        arguments, given = self._arguments, source.sound
        of_file = arguments.raw
        wanted = Sound(
            given.format,
            given.channels if of_file else arguments.channels or given.channels,
            given.rate if of_file else arguments.rate or given.rate,
        )
        for what, option in (("rate", "--resample"), ("channels", "--mix")):
            has, want = getattr(given, what), getattr(wanted, what)
            if has != want and not getattr(arguments, option[2:]):
                raise alsamm.UnsupportedError(f"{source.name}: its {what} is {has}, not {want}; {option} converts it")
        if arguments.resample:
            require_soxr()
        formats = (arguments.format,) if arguments.format is not None and not of_file else source.holders
        pcm, hw = hardware(self._name, Direction.PLAYBACK)
        with pcm:
            card = card_for(hw, wanted, formats, self._helps())
        return card, given.format if card == given else native_format(given.format)

    def _helps(self) -> Helps:
        """What the user named is had exactly; what the file has may become what is nearest, if that was asked for."""
        arguments = self._arguments
        return Helps(
            rate=_help(arguments.resample, None if arguments.raw else arguments.rate, "--resample converts"),
            channels=_help(arguments.mix, None if arguments.raw else arguments.channels, "--mix copies or mixes"),
            format="--format converts" if arguments.format is None else "",
            copy_mono=arguments.raw or arguments.channels is None,
        )

    def play(self, source: Source) -> None:
        """Send a source, to its end, and tell about it."""
        self.open(source)
        self._screen.clear()
        tell("file", f"{source.name} ({source.sound})")
        if not self._told:
            self._tell_stream(source)
        before = self._sent
        converter = Converter(source.sound, self.card.channels, self.card.rate, to_native=self.card != source.sound)
        for block in converter.blocks(source.blocks()):
            self.stream.write(block)
            self._sent += len(block)
            if self._screen.seen:
                self._levels.add(block)
                self._coming.append((self._sent, self._levels.take()))
                self._screen.show(lambda: self._picture(source, before))
        if source.complaint:
            self._screen.clear()
            tell("note", source.complaint)

    def _tell_stream(self, source: Source) -> None:
        self._told = True
        tell("device", self._name)
        tell("transport", transport(self.stream))
        tell("geometry", describe(self.stream.pcm.geometry()))
        given, card, words = source.sound, self.card, list[str]()
        exact = card.format in source.holders and not source.lossy
        if card.format is not given.format:
            verb = "decoded" if source.lossy else "widened" if exact else "converted"
            words.append(f"{given.format} {verb} to {card.format}")
        if card.channels != given.channels:
            exact = exact and given.channels == 1
            how = "mono copied" if given.channels == 1 else f"{given.channels} channels mixed"
            words.append(f"{how} to {card.channels} channel{'s' if card.channels != 1 else ''}")
        if card.rate != given.rate:
            exact = False
            words.append(f"{given.rate} Hz resampled to {card.rate} Hz")
        if words:
            tell("widening" if exact else "converted", ", ".join(words) + ("; nothing is lost" if exact else ""))

    def _picture(self, source: Source, before: int) -> Sequence[str]:
        stats = self.stream.stats
        played = self._sent - stats.queued
        news: list[list[Level]] = []
        while self._coming and self._coming[0][0] <= played:  # what is heard now was written a buffer's time ago
            news.append(self._coming.popleft()[1])
        if news:
            self._heard = [loudest_of(levels) for levels in zip(*news, strict=True)]
        levels = self._heard
        at = max(0, played - before) / self.card.rate
        loudest = loudest_of(levels).rms
        xruns = f"{stats.xruns} xruns" if stats.xruns else "no xruns"
        if source.promised is None:
            so_far = clock(at)
        else:
            total = source.promised / source.sound.rate
            so_far = f"{clock(at)} of {clock(total)}, {clock(total - at)} left"
        return [f"playing {so_far}  {bar(loudest, _METER)}  {xruns}", *meters(levels), source.name]

    def finish(self) -> None:
        """Play what was sent to its end, and tell how it went; nothing where nothing plays."""
        stream = self._stream
        if stream is None:
            return
        # snd-aloop silences a piece of the last milliseconds of a drain, and QEMU's USB device forgets them when it is
        # closed: let them be silence.
        held, tail = stream.array_format, min(stream.rate // _TAIL, stream.buffer_size)
        for block in silence(held, stream.channels, tail):
            stream.write(block)
        stream.drain()
        self._screen.clear()
        took = f"{self._sent / stream.rate:.2f} s of sound, then silence, in {time.monotonic() - self._began:.2f} s"
        tell("sent", f"{self._sent} frames: {took}")
        tell("xruns", stream.stats.xruns)
        self._stop()

    def _stop(self) -> None:
        self._screen.clear()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
