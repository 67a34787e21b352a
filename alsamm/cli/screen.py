"""A few lines on a terminal that are drawn again and again; nothing where nobody looks."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from alsamm.cli.levels import FULL, RAIL
from alsamm.cli.report import writable

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Screen"]

_BAR = rf"[▏▎▍▌▋▊▉{FULL}{RAIL}]+"
_ZONES = ((0.0, "green"), (0.7, "yellow"), (0.9, "red"))  # of bars that begin at -60 dBFS: from -18, from -6


class Screen:
    """A live view, for ``with``, which leaves nothing of it behind.

    With rich: all lines, the bars of ``levels.bar`` in colours. Without: the first line only, so put there what matters
    most. ``file`` is no terminal, or ``quiet``: nothing. ``every``: seconds between two pictures.

    What is printed meanwhile would be drawn over: ``clear()`` first.

    Synchronization: none; one thread at a time.
    """

    def __init__(self, *, file: TextIO | None = None, quiet: bool = False, every: float = 0.1) -> None:
        self._file = sys.stderr if file is None else file
        self._every = every
        self._next = 0.0
        self.seen = not quiet and self._file.isatty()
        """Whether anybody looks."""
        self._rich = self.seen and importlib.util.find_spec("rich") is not None
        self._live: Any = None
        self._drawn = False

    @property
    def due(self) -> bool:
        """Whether ``show`` would draw now."""
        return self.seen and time.monotonic() >= self._next

    @property
    def width(self) -> int:
        """Columns of the terminal; 80 where there is none."""
        try:
            return os.get_terminal_size(self._file.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def show(self, lines: Callable[[], Sequence[str]], *, now: bool = False) -> None:
        """Draw what ``lines`` gives, if it is time again, or ``now``."""
        if not self.seen or (not now and not self.due):
            return
        self._next = time.monotonic() + self._every
        texts = [writable(line, self._file) for line in lines()]
        if self._rich:
            self._draw(texts)
        else:
            first = texts[0] if texts else ""
            self._file.write(f"\r{first[: self.width - 1]}\033[K")
            self._file.flush()
        self._drawn = True

    def clear(self) -> None:
        """Take the picture away; the next ``show`` draws a new one where the cursor is then."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        elif self._drawn:
            self._file.write("\r\033[K")
            self._file.flush()
        self._drawn = False
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def _draw(self, texts: Sequence[str]) -> None:
        from rich.console import Console  # noqa: PLC0415 -- an extra, imported only where it is used
        from rich.live import Live  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        picture = Text("\n".join(texts), no_wrap=True, overflow="crop")
        for found in re.finditer(_BAR, picture.plain):
            begin, end = found.span()
            for share, colour in _ZONES:
                picture.stylize(colour, begin + round(share * (end - begin)), end)
        if self._live is None:
            # Without redirecting: what is printed on stdout would go to stderr with it.
            console = Console(file=self._file, highlight=False)
            self._live = Live(
                console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            self._live.start()
        self._live.update(picture, refresh=True)
