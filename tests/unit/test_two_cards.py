"""Duplex over two cards whose clocks differ: measured, and held together."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim

pytestmark = pytest.mark.alone

SPEED = 8  # so that a minute takes seconds
PPM = 800.0


@contextmanager
def two_cards() -> Generator[tuple[str, str]]:
    """The second is faster by PPM."""
    with (
        sim.Card("slow", clock="realtime", speed=SPEED) as out,
        sim.Card("fast", clock="realtime", speed=SPEED, ppm=PPM) as mic,
    ):
        yield out.device, mic.device


def turns(io: alsamm.DuplexStream, seconds: float) -> None:
    for heard, played in io.periods(int(seconds * io.rate / io.period_size)):
        played[...] = heard


def open_both(out: str, mic: str, **wishes: Any) -> alsamm.DuplexStream:
    """Rings of 43 ms, as the cards run, which is what the witness counts on."""
    return alsamm.duplex(out, mic, dtype="f4", period_size=1024, buffer_size=16_384, **wishes)


def test_the_difference_is_measured() -> None:
    with two_cards() as (out, mic), open_both(out, mic) as io:
        assert not io.linked
        turns(io, 40)
        assert io.drift_ppm == pytest.approx(PPM, abs=100)


def test_left_alone_one_of_them_runs_over() -> None:
    """What the next test's resampling is for: 800 ppm of a minute are 2,304 frames."""
    with two_cards() as (out, mic), open_both(out, mic) as io:
        turns(io, 80)
        offset = io.offset
        turns(io, 40)
        grown = io.offset - offset
        assert abs(grown) > 1024 or io.capture.stats.xruns + io.playback.stats.xruns > 0


def test_held_together_neither_runs_dry_or_over() -> None:
    with two_cards() as (out, mic), open_both(out, mic, resample=True) as io:
        turns(io, 40)
        before = io.offset
        turns(io, 80)
        assert (io.capture.stats.xruns, io.playback.stats.xruns) == (0, 0)
        assert abs(io.offset - before) < 1024
        assert io.drift_ppm == pytest.approx(PPM, abs=100)


def test_without_soxr_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "soxr", None)
    with two_cards() as (out, mic):
        with pytest.raises(alsamm.UnsupportedError, match="pip install"):
            open_both(out, mic, resample=True)
        open_both(out, mic).close()  # it let go of both


def test_required_links() -> None:
    with two_cards() as (out, mic):
        with pytest.raises(alsamm.UnsupportedError):
            open_both(out, mic, link=True)
        with pytest.raises(alsamm.DeviceNotFoundError):
            open_both(out, "sim:none")
        assert np.isfinite(open_closed_offset(out, mic))


def open_closed_offset(out: str, mic: str) -> int:
    with open_both(out, mic) as io:
        turns(io, 1)
        return io.offset
