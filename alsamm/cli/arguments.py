"""What can be typed after ``python -m alsamm``."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, NoReturn

from alsamm import __version__, errors
from alsamm.cli import demo, info, listing, play, record
from alsamm.enums import Format

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["parser"]

_EXAMPLES = """\
examples:
  python -m alsamm                                  the sound cards, with the default marked
  python -m alsamm info hw:CARD=PCH,DEV=0           what a device can do, and how it is reached
  python -m alsamm play song.wav                    on the first card
  python -m alsamm play song.wav --device plughw:1  converted by alsa-lib to what the card takes
  python -m alsamm record take.wav --seconds 10     without --seconds: until Ctrl-C
  python -m alsamm demo song.wav                    play, and compare what arrived with what was sent

Without --device the first card is used; where there is none, a card in software, which "sim:" names too.
"""


class _Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"alsamm: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The parser; what it gives has ``run``, the command."""
    top = _Parser(
        prog="alsamm",
        description="Sound through the mapped memory of a Linux sound card.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"alsamm {__version__}")
    top.set_defaults(run=listing.run, json=False)
    commands = top.add_subparsers(title="commands", metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        made.set_defaults(run=run)
        return made

    lister = command("list", listing.run, "show the sound cards and the names of their PCMs")
    lister.add_argument("--json", action="store_true", help="for programs")

    teller = command("info", info.run, "tell what a device can do and by which road its pages are reached")
    teller.add_argument("device", metavar="DEVICE", nargs="?", help="a PCM's name; by default the first card's")

    player = command("play", play.run, "play a WAV file; samples are never converted, but for lossless widening")
    player.add_argument("file", metavar="FILE")
    _stream_options(player)

    recorder = command("record", record.run, "record a WAV file, until Ctrl-C or for --seconds")
    recorder.add_argument("file", metavar="FILE")
    recorder.add_argument("--seconds", type=_seconds, metavar="S", help="stop after so long")
    recorder.add_argument("--rate", type=_count, metavar="R", help="Hz (48000, or what is nearest)")
    recorder.add_argument("--channels", type=_count, metavar="C", help="(2, or what is nearest)")
    recorder.add_argument("--format", type=_format, metavar="F", help="of the card, e.g. S16_LE or S24_3LE")
    _stream_options(recorder)

    prover = command("demo", demo.run, "play a WAV file through the ring and compare what arrived with what was sent")
    prover.add_argument("file", metavar="FILE")
    _stream_options(prover)
    return top


def _stream_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", metavar="D", help="a PCM's name, such as hw:CARD=PCH,DEV=0, plughw:0 or sim:")
    command.add_argument("--period", type=_count, metavar="N", help="frames from one interrupt to the next, exactly")
    command.add_argument("--buffer", type=_count, metavar="N", help="frames of the whole ring, exactly")
    command.add_argument("--sync-ptr", action="store_true", help="use SYNC_PTR even where pages could be mapped")


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 0 < value < 1 << 31:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (value > 0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return value


def _format(text: str) -> Format:
    try:
        return Format.of(text)
    except errors.ArgumentError:
        raise argparse.ArgumentTypeError(f"{text!r} is no sample format; S16_LE and S32_LE are") from None
