"""What commands print: a report of what happened, and progress while it does."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["Progress", "say", "tell"]

_EVERY = 0.1


def say(text: str) -> None:
    """One line on stdout."""
    sys.stdout.write(text + "\n")


def tell(key: str, value: object) -> None:
    """One line of a report."""
    say(f"{key + ':':<11} {value}")


class Progress:
    """One line on stderr that tells how far a stream is; nothing when that is no terminal."""

    def __init__(self, verb: str, rate: int, total: int | None) -> None:
        self._verb = verb
        self._rate = rate
        self._end = "" if total is None else f" of {total / rate:.1f}"
        self._shown = sys.stderr.isatty()
        self._next = 0.0

    def at(self, frames: int) -> None:
        """So many frames have gone by."""
        if self._shown and time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            sys.stderr.write(f"\r{self._verb} {frames / self._rate:.1f}{self._end} s")
            sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
