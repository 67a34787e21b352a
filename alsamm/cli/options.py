"""What commands declare their options with."""

from __future__ import annotations

import argparse
import math
from fractions import Fraction
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from alsamm import errors
from alsamm.enums import Format

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Commands", "Parser", "add_command", "count", "frequency", "number", "sample_format", "seconds",
           "sound_options", "stream_options"]  # fmt: skip

_LONGEST = 1e9  # seconds: 31 years, in which frames are still counted exactly


class Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def error(self, message: str) -> NoReturn:
        """End with 2, the exit code for options that make no sense."""
        self.exit(2, f"alsamm: {message}; see {self.prog} --help\n")


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001 -- what add_subparsers() gives has no public name
"""Where a command module's ``add`` enters its parser."""


def add_command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int], text: str, examples: str
) -> Parser:
    """A parser for one command; ``examples`` are lines, each a command and what it does, or a pipe into one."""
    lines = [line.strip() for line in examples.strip().splitlines()]
    made = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog="examples:\n" + "".join(f"  {'' if '| alsamm ' in line else 'alsamm '}{line}\n" for line in lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(run=run, parser=made)
    return made


def sound_options(command: Parser, whose: str) -> None:
    """Add the choice of rate, channels and format, and what may be done to have it."""
    command.add_argument("--rate", type=count, metavar="R", help=f"Hz, {whose}")
    command.add_argument("--channels", type=count, metavar="C", help=f"how many, {whose}")
    command.add_argument("--format", type=sample_format, metavar="F", help=f"S16_LE, S24_3LE…, {whose}")
    command.add_argument("--resample", action="store_true", help="change the rate where card and file differ (soxr)")
    command.add_argument("--mix", action="store_true", help="likewise the channels: one is copied to all, all are "
                         "averaged to one; else the first ones are kept, and more are silent")  # fmt: skip
    command.add_argument("--raw", action="store_true", help="the file is samples without a header")
    command.add_argument("--quiet", action="store_true", help="say nothing but what went wrong")


def stream_options(command: Parser) -> None:
    """Add what every command that opens a stream takes."""
    command.add_argument("--device", metavar="D", help="a PCM's name, such as hw:CARD=PCH,DEV=0, plughw:0 or sim:")
    command.add_argument("--period", type=count, metavar="N", help="frames from one interrupt to the next, exactly")
    command.add_argument("--buffer", type=count, metavar="N", help="frames of the whole ring, exactly")
    command.add_argument("--sync-ptr", action="store_true", help="use SYNC_PTR even where pages could be mapped")
    command.add_argument("--clock", choices=("auto", "realtime"), help="of a software card: as fast as it goes, or in "
                         "real time")  # fmt: skip


def count(text: str) -> int:
    """A whole number above 0."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 0 < value < 1 << 31:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return value


def seconds(text: str) -> float:
    """A time."""
    value = _float(text)
    if not 0 < value <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0, and up to {_LONGEST:g}")
    return value


def number(what: str, least: float, most: float) -> Callable[[str], float]:
    """What argparse turns an option's text into a number with; ``what``: its name and unit, for complaints."""

    def parse(text: str) -> float:
        value = _float(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no {what} from {least:g} to {most:g}")
        return value

    return parse


def frequency(text: str) -> Fraction:
    """Hertz, exactly."""
    try:
        # Of 1e999999999 a fraction would take hours to make.
        value = Fraction(text) if "/" in text or 0 < float(text) < math.inf else Fraction(0)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no frequency above 0; 440, 432.1 and 1000/3 are")
    return value


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def sample_format(text: str) -> Format:
    """A sample format's name."""
    try:
        return Format.of(text)
    except errors.ArgumentError:
        raise argparse.ArgumentTypeError(f"{text!r} is no sample format; S16_LE and S32_LE are") from None
