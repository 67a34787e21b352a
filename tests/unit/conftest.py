"""A ring on a software card of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import alsamm
from alsamm import sim

Opener = Callable[..., Any]


def may_raise_limits() -> bool:
    """CAP_SYS_RESOURCE, capability 24."""
    status = Path("/proc/self/status").read_text()
    return bool(int(status.split("CapEff:")[1].split()[0], 16) >> 24 & 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Cases that must raise limits are run where that is allowed: by root in the lab, if not here."""
    if may_raise_limits():
        return
    wanting = [item for item in items if any(mark.args == ("limits",) for mark in item.iter_markers("needs"))]
    config.hook.pytest_deselected(items=wanting)
    items[:] = [item for item in items if item not in wanting]


def quietly(call: Callable[[], None]) -> None:
    """At the end of a case, whatever state it left."""
    with contextlib.suppress(alsamm.AlsaError):
        call()


@pytest.fixture
def ring() -> Iterator[Opener]:
    """A ring on a card of its own; frames of period and buffer as given."""
    with contextlib.ExitStack() as stack:
        cards = 0

        def opener(
            direction: str = "playback",
            *,
            format: str = "S16_LE",  # noqa: A002 -- ALSA's word
            channels: int = 2,
            period_size: int = 64,
            buffer_size: int = 1024,
            clock: Any = "manual",
            start: bool = False,
            xruns: bool = False,
            **options: Any,
        ) -> Any:
            nonlocal cards
            cards += 1
            card = stack.enter_context(sim.Card(f"block{cards}", clock=clock))
            pcm = stack.enter_context(alsamm.PCM(card.device, direction))
            pcm.setup(format=format, channels=channels, period_size=period_size, buffer_size=buffer_size)
            sw = pcm.sw_params()
            if not xruns:  # a busy machine is no matter here
                sw.stop_threshold = sw.boundary
            if not start:
                sw.start_threshold = sw.boundary
            pcm.configure(sw=sw)
            kind = alsamm.MmapPlayback if direction == "playback" else alsamm.MmapCapture
            opened: Any = stack.enter_context(kind(pcm, **options))
            stack.callback(quietly, opened.drop)
            opened.card = card
            return opened

        yield opener
