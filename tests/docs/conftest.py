"""Software cards under the names that the pages use, so that their code runs as it stands there."""

from __future__ import annotations

import wave
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alsamm import sim


@dataclass(frozen=True)
class Desk:
    """What a reader has before them: two cards, and a folder with two sound files."""

    first: sim.Card
    second: sim.Card


def _song(path: Path, seconds: float) -> None:
    time = np.arange(round(48_000 * seconds)) / 48_000
    tone = np.rint(8_000 * np.sin(2 * np.pi * 330 * time)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 48_000, 0, "NONE", ""))
        file.writeframes(np.stack([tone, tone], axis=1).tobytes())


@pytest.fixture
def clock() -> str:
    """How the cards' time passes: see sim.Card."""
    return "auto"


@pytest.fixture
def desk(clock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Desk]:
    with (
        sim.Card("first", clock=clock, stands_in_for=["default", "hw:0", "plughw:0"]) as first,
        sim.Card("second", clock=clock, ppm=100.0, stands_in_for=["hw:1", "hw:CARD=Mic"]) as second,
    ):
        monkeypatch.chdir(tmp_path)
        _song(tmp_path / "song.wav", 0.5)
        _song(tmp_path / "jingle.wav", 0.25)
        yield Desk(first, second)
