"""A software card that can do little, so that much is refused, and PCMs on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm.stream.calls import CallCapture, CallPlayback


def setup(pcm: alsamm.PCM, **wishes: Any) -> alsamm.HwParams:
    """RW_INTERLEAVED, 48 kHz, periods of 256 in 1024 frames, but for what is wished otherwise."""
    usual: dict[str, Any] = {"access": "RW_INTERLEAVED", "rate": 48_000, "period_size": 256, "buffer_size": 1024}
    return pcm.setup(**usual | wishes)


def state(pcm: alsamm.PCM) -> alsamm.State:
    """The state of now: a type checker believes that a property stays what it was found to be."""
    return pcm.state


@pytest.fixture
def card() -> Iterator[sim.Card]:
    with sim.Card(
        "small",
        clock="auto",
        rates=[8_000, 44_100, 48_000],
        channels=(1, 2),
        formats=["S16_LE", "S32_LE", "U8", "S24_3LE"],
        period_bytes=(64, 1 << 12),
        buffer_bytes=(64, 1 << 14),
        periods=(2, 32),
        no_period_wakeup=True,
    ) as made:
        yield made


@pytest.fixture
def opened() -> Iterator[Callable[..., alsamm.PCM]]:
    """Open PCMs that are closed when the case ends."""
    with ExitStack() as stack:

        def opener(name: str, direction: str, **options: Any) -> alsamm.PCM:
            return stack.enter_context(alsamm.PCM(name, direction, **options))

        yield opener


@pytest.fixture
def playback(card: sim.Card, opened: Callable[..., alsamm.PCM]) -> alsamm.PCM:
    return opened(card.device, "playback")


@pytest.fixture
def capture(card: sim.Card, opened: Callable[..., alsamm.PCM]) -> alsamm.PCM:
    return opened(card.device, "capture")


@pytest.fixture
def io() -> Iterator[Callable[..., Any]]:
    """A CallPlayback or CallCapture on a PCM of that name; all is closed when the case ends."""
    with ExitStack() as stack:

        def opener(name: str, way: str, *, dtype: str | None = None, dither: bool = False, **wishes: Any) -> Any:
            sw = {key: wishes.pop(key) for key in ("start_threshold", "stop_threshold", "avail_min") if key in wishes}
            pcm = stack.enter_context(alsamm.PCM(name, way, blocking=False))
            setup(pcm, **wishes)
            params = pcm.sw_params()
            for key, value in sw.items():
                setattr(params, key, params.boundary if value == "boundary" else value)
            pcm.configure(sw=params)
            made = (CallPlayback if way == "playback" else CallCapture)(pcm, dtype=dtype, dither=dither)
            stack.callback(made.close)
            return made

        yield opener


@pytest.fixture
def still() -> Iterator[sim.Card]:
    """A card that moves only when it is told to."""
    with sim.Card("still") as made:
        yield made


@pytest.fixture
def quick() -> Iterator[sim.Card]:
    """A card that keeps real time, ten times as fast."""
    with sim.Card("quick", clock="realtime", speed=10.0) as made:
        yield made


def ramp(frames: int, start: int = 0) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Frames that tell their own number, the channels apart."""
    left = np.arange(start, start + frames) % 30_011 + 1
    return np.stack([left, -left], axis=1).astype("i2")
