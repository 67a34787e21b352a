"""The live view: in colours with rich, in one line without, not at all where nobody looks."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

import pytest

from alsamm.cli.levels import bar
from alsamm.cli.screen import Screen


class Terminal:
    """A pseudo terminal, and what was drawn on it."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self.leader, follower = os.openpty()
        self.file: TextIO = os.fdopen(follower, "w", encoding=encoding)

    def drawn(self) -> str:
        """What came since the last time: all until a mark that is written behind it."""
        self.file.write("\0")
        self.file.flush()
        raw = b""
        while not raw.endswith(b"\0"):
            raw += os.read(self.leader, 100_000)
        return raw[:-1].decode()

    def close(self) -> None:
        self.file.close()
        os.close(self.leader)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


@pytest.fixture
def no_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing it fails, and it is found nowhere."""
    monkeypatch.setitem(sys.modules, "rich", None)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)


def test_with_rich_all_lines_are_drawn_and_bars_are_coloured(terminal: Terminal) -> None:
    with Screen(file=terminal.file, every=0) as screen:
        screen.show(lambda: ["first", bar(0.0, 10)])
        shown = terminal.drawn()
        assert "first" in shown
        assert [f"\x1b[{code}m" in shown for code in (32, 33, 31)] == [True] * 3  # green, yellow, red
        screen.show(lambda: ["second"])
        assert "second" in terminal.drawn()
    assert "\x1b[2K" in terminal.drawn()  # and nothing is left


@pytest.mark.usefixtures("no_rich")
def test_without_rich_it_is_the_first_line(terminal: Terminal) -> None:
    with Screen(file=terminal.file, every=0) as screen:
        screen.show(lambda: ["first " + "x" * 200, "second"])
        shown = terminal.drawn()
        assert shown.startswith("\rfirst ")
        assert "second" not in shown
        assert len(shown) == len("\r\x1b[K") + 77  # what Ctrl-C echoes must not begin a line that stays
        screen.clear()
        assert terminal.drawn() == "\r\x1b[K"
        screen.clear()
        assert terminal.drawn() == ""


@pytest.mark.usefixtures("no_rich")
def test_a_terminal_that_has_no_such_characters() -> None:
    terminal = Terminal("latin-1")
    with Screen(file=terminal.file) as screen:
        screen.show(lambda: [bar(-30.0, 8)])
        assert terminal.drawn() == "\r####....\x1b[K"
    terminal.close()


def test_nothing_where_nobody_looks(terminal: Terminal) -> None:
    def never() -> list[str]:
        raise AssertionError

    file = io.StringIO()
    with Screen(file=file) as screen:
        screen.show(never, now=True)
        assert (screen.seen, screen.due, screen.width) == (False, False, 80)
    assert file.getvalue() == ""
    with Screen(file=terminal.file, quiet=True) as screen:
        screen.show(never, now=True)
    assert terminal.drawn() == ""


def test_nothing_on_a_terminal_that_can_take_nothing_back(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert not Screen(file=terminal.file).seen


@pytest.mark.usefixtures("no_rich")
def test_not_more_often_than_every_so_long(terminal: Terminal) -> None:
    with Screen(file=terminal.file, every=3600) as screen:
        for text in ("one", "two"):
            screen.show(lambda text=text: [text])  # type: ignore[misc]
        assert not screen.due
        screen.show(lambda: ["three"], now=True)
        assert terminal.drawn() == "\rone\x1b[K\rthree\x1b[K"
        screen.clear()
        assert screen.due
