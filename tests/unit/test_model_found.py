"""What tests/model found in alsamm."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm.enums import State

PERIOD, BUFFER = 64, 192


@contextmanager
def ring_of(direction: str, software: dict[str, int], **options: Any) -> Generator[tuple[sim.Card, alsamm.PCM, Any]]:
    """A card, its PCM, and the ring of one direction."""
    with sim.Card("found", clock="auto", **options) as card, alsamm.PCM(card.device, direction) as pcm:
        pcm.setup(channels=1, period_size=PERIOD, buffer_size=BUFFER)
        sw = pcm.sw_params()
        for name, value in software.items():
            setattr(sw, name, value)
        pcm.configure(sw=sw)
        yield card, pcm, alsamm.MmapCapture(pcm) if direction == "capture" else alsamm.MmapPlayback(pcm)


@pytest.fixture
def wrapping() -> Generator[tuple[alsamm.PCM, alsamm.MmapPlayback]]:
    """A ring that runs, past its boundary, with a period queued."""
    with (
        sim.Card("wrapping", clock="auto", boundary=4 * BUFFER) as card,
        alsamm.PCM(card.device, "playback") as pcm,
    ):
        pcm.setup(channels=1, period_size=PERIOD, buffer_size=BUFFER)
        with alsamm.MmapPlayback(pcm) as ring:
            block = np.zeros(PERIOD, "i2")
            ring.write_all(np.zeros(BUFFER, "i2"))
            while ring.frame < 4 * BUFFER + 10:
                ring.write_all(block)
            yield pcm, ring
            ring.drop()


def test_frames_keep_their_numbers_when_the_pcm_rewinds(wrapping: tuple[alsamm.PCM, alsamm.MmapPlayback]) -> None:
    """Past the boundary: the number was that of a whole turn of the pointers later."""
    pcm, ring = wrapping
    before = ring.frame
    done = pcm.rewind(BUFFER)
    assert 0 < done <= BUFFER
    assert ring.frame == before - done
    assert pcm.forward(done) == done
    assert ring.frame == before


def test_frames_keep_their_numbers_when_the_pcm_is_reset(wrapping: tuple[alsamm.PCM, alsamm.MmapPlayback]) -> None:
    pcm, ring = wrapping
    ring.write_all(np.zeros(2 * PERIOD, "i2"))
    before = ring.frame
    pcm.reset()
    assert before <= ring.frame < before + BUFFER


def test_a_capture_that_was_rewound_to_before_its_first_frame_has_a_number() -> None:
    """-32 was taken for EPIPE: an overrun that never was."""
    with ring_of("capture", {}) as (_, _, ring):
        assert ring.rewind(32) == 32
        assert ring.frame == -32


@pytest.mark.parametrize("direction", ["playback", "capture"])
def test_sw_params_that_find_an_xrun_are_taken(direction: str) -> None:
    """They raised XrunError, and alsa-lib and the ring went on with those from before."""
    with ring_of(direction, {"stop_threshold": 4 * BUFFER}, boundary=4 * BUFFER) as (card, pcm, ring):
        ring.start()
        card.advance(BUFFER + 100)
        sw = pcm.sw_params()
        sw.stop_threshold, sw.start_threshold = BUFFER, PERIOD
        pcm.configure(sw=sw)
        assert ring.state is State.XRUN
        assert (ring.geometry.stop_threshold, ring.geometry.start_threshold) == (BUFFER, PERIOD)
        assert pcm.sw_params().stop_threshold == BUFFER


def test_a_capture_that_cannot_rewind_skips_more_than_its_ring() -> None:
    """Rule D4: in steps. EINVAL was raised, and the frames' numbers were wrong from then on."""
    free = {"stop_threshold": 3 * BUFFER}
    with ring_of("capture", free, boundary=3 * BUFFER, no_rewinds=True, refuse_control=True) as (card, _, ring):
        ring.start()
        card.advance(BUFFER + 100)
        ring.fill(np.empty(PERIOD, "i2"), recover=True)
        assert ring.lost == BUFFER + 100
        assert ring.frame == BUFFER + 100 + PERIOD


@pytest.mark.parametrize(("shape", "stops"), [({}, 0), ({"no_rewinds": True, "refuse_control": True}, 1)])
def test_a_capture_that_is_late_by_millions_of_rings(shape: dict[str, Any], stops: int) -> None:
    """In one step where the card takes it; it was stopped and started. Where it takes a ring at a time it has to be."""
    sizes: dict[str, Any] = {"period_bytes": (4, 64), "buffer_bytes": (8, 64), "record": False}
    with sim.Card("late", **sizes, **shape) as card, alsamm.PCM(card.device, "capture") as pcm:
        pcm.setup(format="S32_LE", channels=1, period_size=1, buffer_size=2)
        sw = pcm.sw_params()
        sw.stop_threshold = sw.boundary
        pcm.configure(sw=sw)
        with alsamm.MmapCapture(pcm) as ring:
            ring.start()
            card.advance(1 << 24)
            with pytest.raises(TimeoutError):
                ring.fill(np.empty(1, "i4"), 0.01, recover=True)
            assert (ring.lost, ring.frame, card.capture.xruns) == (1 << 24, 1 << 24, stops)
