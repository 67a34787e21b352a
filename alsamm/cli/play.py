"""``play``: a WAV file to a card."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import alsamm
from alsamm.cli.devices import NOT_IN_REAL_TIME, name_for, opened
from alsamm.cli.options import Commands, add_command, stream_options
from alsamm.cli.report import Progress, tell
from alsamm.cli.streams import Sizes, Sound, choose, describe, silence, sink
from alsamm.cli.widening import difference, widened, wider
from alsamm.enums import Direction
from alsamm.wav import WavReader

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from alsamm.cli.streams import Sink
    from alsamm.wav import Frames

__all__ = ["Sent", "add", "configure", "device_of", "play_file", "run", "sound_of"]


_EXAMPLES = """
play song.wav                          on the first card
play song.wav --device plughw:1        converted by alsa-lib to what the card takes
"""
_TAIL = 10  # parts of a second, as alsa-lib puts behind a drain


@dataclass
class Sent:
    """What came of sending frames."""

    frames: int = 0
    xruns: int = 0
    seconds: float = 0.0


def add(commands: Commands) -> None:
    """Declare it."""
    text = "play a WAV file; samples are never converted, but for lossless widening"
    command = add_command(commands, "play", run, text, _EXAMPLES)
    command.add_argument("file", metavar="FILE")
    stream_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Play; report on stdout."""
    with WavReader(arguments.file) as wav, opened(device_of(arguments), Direction.PLAYBACK) as (pcm, _):
        play_file(arguments, wav, pcm, configure(arguments, wav, pcm))
    return 0


def device_of(arguments: argparse.Namespace) -> str:
    """What to play on."""
    return name_for(arguments.device, Direction.PLAYBACK, remark=NOT_IN_REAL_TIME)


def sound_of(wav: WavReader) -> Sound:
    """What a file's frames are."""
    return Sound(wav.format, wav.channels, wav.rate)


def configure(arguments: argparse.Namespace, wav: WavReader, pcm: alsamm.PCM) -> Sound:
    """Set the PCM up for the file, or for what its frames can be widened to without loss; gives that."""
    chosen = choose(pcm, wider(sound_of(wav)), Sizes(arguments.period, arguments.buffer))
    # Started by the library's own threshold: with the ring full, so that no slow disk makes the first xrun.
    sw = pcm.sw_params()
    sw.start_threshold = pcm.geometry().buffer_size
    pcm.configure(sw=sw)
    return chosen


def play_file(arguments: argparse.Namespace, wav: WavReader, pcm: alsamm.PCM, sound: Sound) -> Sent:
    """Send a file to a configured PCM, to its end, and tell about it."""
    given = sound_of(wav)
    tell("file", f"{arguments.file} ({given})")
    tell("device", pcm.name)
    with sink(pcm, sync_ptr=arguments.sync_ptr) as out, Progress("playing", wav.rate, wav.promised) as progress:
        tell("transport", out.transport)
        tell("geometry", describe(pcm.geometry()))
        if words := difference(given, sound):
            tell("widening", f"{words}; nothing is lost")
        sent = _send(out, map(widened(given, sound), wav.blocks()), sound, pcm.geometry().buffer_size, progress)
    if wav.complaint:
        tell("note", wav.complaint)
    took = f"{sent.frames / wav.rate:.2f} s of sound, then silence, in {sent.seconds:.2f} s"
    tell("sent", f"{sent.frames} frames: {took}")
    tell("xruns", sent.xruns)
    return sent


def _send(out: Sink, blocks: Iterable[Frames], sound: Sound, buffer_size: int, progress: Progress) -> Sent:
    sent = Sent()
    started = time.monotonic()
    for block in blocks:
        _write(out, block, sent)
        sent.frames += len(block)
        progress.at(sent.frames)
    try:
        # snd-aloop silences a piece of the last milliseconds of a drain, and QEMU's USB device forgets them when it is
        # closed: let them be silence.
        for block in silence(sound, min(sound.rate // _TAIL, buffer_size)):
            _write(out, block, sent)
        out.drain()
    except alsamm.XrunError:
        sent.xruns += 1
    sent.seconds = time.monotonic() - started
    return sent


def _write(out: Sink, block: Frames, sent: Sent) -> None:
    done = 0
    while done < len(block):
        try:
            if done_now := out.write(block[done:]):
                done += done_now
            else:
                out.wait()
        except alsamm.XrunError:  # noqa: PERF203 -- around a system call or a copy it costs nothing
            sent.xruns += 1
            out.prepare()
        except alsamm.SuspendedError:
            out.prepare()
