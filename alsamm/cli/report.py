"""What commands print: a report of what happened, on standard output."""

from __future__ import annotations

import io
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout

__all__ = ["clock", "reporting", "say", "tell"]

_MINUTE = 60


def say(text: str) -> None:
    """One line on stdout, at once: who reads a pipe wants to know what is playing while it plays."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def tell(key: str, value: object) -> None:
    """One line of a report."""
    say(f"{key + ':':<11} {value}")


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
