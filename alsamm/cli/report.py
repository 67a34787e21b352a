"""What commands print: a report of what happened, on standard output."""

from __future__ import annotations

import io
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

from alsamm.cli.levels import FULL, RAIL

__all__ = ["clock", "reporting", "say", "tell", "writable"]

_MINUTE = 60
_ASCII = str.maketrans(dict.fromkeys(f"▌▋▊▉{FULL}", "#") | dict.fromkeys(f"▏▎▍{RAIL}", "."))


def say(text: str) -> None:
    """One line on stdout, at once: who reads a pipe wants to know what is playing while it plays."""
    sys.stdout.write(writable(text, sys.stdout) + "\n")
    sys.stdout.flush()


def tell(key: str, value: object) -> None:
    """One line of a report."""
    say(f"{key + ':':<11} {value}")


def writable(text: str, file: TextIO) -> str:
    """As this file's encoding can have it: bars too, and names of files that are no text."""
    encoding = file.encoding or "utf-8"  # None: of one that only keeps it
    if encoding.lower().replace("-", "") != "utf8":
        text = text.translate(_ASCII)
    return text.encode(encoding, "backslashreplace").decode(encoding)


@contextmanager
def reporting(*, quiet: bool, on_stderr: bool = False) -> Generator[None]:
    """What is said meanwhile goes nowhere, or to stderr, because stdout is for sound."""
    if not quiet and not on_stderr:
        yield
        return
    with redirect_stdout(io.StringIO() if quiet else sys.stderr):
        yield


def clock(seconds: float) -> str:
    """A time for people: 61.25 is 1:01.2."""
    minutes, rest = divmod(max(0.0, seconds), _MINUTE)
    tenths = int(rest * 10) / 10
    return f"{int(minutes)}:{tenths:04.1f}"
