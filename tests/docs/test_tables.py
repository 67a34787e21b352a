"""Tables of calls: whatever they name is there, in the other package as in this one."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Any

import alsaaudio  # type: ignore[import-not-found] # a C module without stubs
import pytest
import sounddevice  # type: ignore[import-untyped]

import alsamm
from tests.docs.blocks import ROOT

OURS: dict[str, Any] = {
    "alsamm": (alsamm,),
    "out": (alsamm.PlaybackStream,),
    "mic": (alsamm.CaptureStream,),
    "io": (alsamm.DuplexStream,),
    "pcm": (alsamm.PCM,),
    "stream": (alsamm.Stream,),
}
OUR_WISHES = (*inspect.signature(alsamm.duplex).parameters, "out", "on_xrun")
# pyalsaaudio tells no signature; its documentation and test_its_wishes_are_taken do.
ALSAAUDIO_WISHES = ("type", "mode", "device", "rate", "channels", "format", "periodsize", "periods")
TABLES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "from-sounddevice": (
        {"sd": (sounddevice,), "stream": (sounddevice.Stream,)},
        tuple(inspect.signature(sounddevice.Stream.__init__).parameters),
    ),
    "from-pyalsaaudio": ({"alsaaudio": (alsaaudio,), "pcm": (alsaaudio.PCM,)}, ALSAAUDIO_WISHES),
}


def rows(page: str) -> list[tuple[str, str]]:
    """First and second cell of each row."""
    text = (ROOT / "docs/howto" / f"{page}.md").read_text().partition("## Table of calls")[2]
    cells = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [(row[0], row[1]) for row in cells[2:]]


def named(cell: str) -> Iterator[ast.expr]:
    """Every piece of code in a cell, parsed; ``rate=`` is a keyword without a value."""
    for code in re.findall(r"`([^`]+)`", cell):
        plain = f"wish({code}0)" if code.endswith("=") else re.sub(r"^(in )?with ", "", code)
        yield ast.parse(plain, mode="eval").body


def unknown(cell: str, there: dict[str, Any], wishes: tuple[str, ...]) -> list[str]:
    """What a cell names that is not there."""
    wrong: list[str] = []
    for code in named(cell):
        for node in ast.walk(code):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                owner = node.value.id
                if owner not in there or not any(hasattr(each, node.attr) for each in there[owner]):
                    wrong.append(f"{owner}.{node.attr}")
            elif isinstance(node, ast.Call):
                wrong += [f"{word.arg}=" for word in node.keywords if word.arg not in wishes]
    return wrong


@pytest.mark.parametrize("page", TABLES)
def test_every_call_is_there(page: str) -> None:
    theirs, wishes = TABLES[page]
    told = rows(page)
    assert len(told) > 20
    wrong = [what for left, _ in told for what in unknown(left, theirs, wishes)]
    wrong += [what for _, right in told for what in unknown(right, OURS, OUR_WISHES)]
    assert wrong == []


def test_what_is_not_there_is_found() -> None:
    assert unknown("`out.nothing()`, `alsamm.playback()`, `pace=`", OURS, OUR_WISHES) == ["out.nothing", "pace="]


def test_its_wishes_are_taken() -> None:
    pcm = alsaaudio.PCM(
        type=alsaaudio.PCM_PLAYBACK,
        mode=alsaaudio.PCM_NONBLOCK,
        device="null",
        rate=48_000,
        channels=2,
        format=alsaaudio.PCM_FORMAT_S16_LE,
        periodsize=256,
        periods=4,
    )
    assert pcm.info()["period_size"] == 256
    pcm.close()
