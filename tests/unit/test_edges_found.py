"""What `make fuzz` found at the edges: numbers that fit the C type but no arithmetic after it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import alsamm
from alsamm import sim
from alsamm._c import ffi, lib
from tests.unit.conftest import Opener

EINVAL = -22


def test_a_start_long_ago_is_now(ring: Opener) -> None:
    """In a process of its own, for it slept for ever: 200 us before the first time there is was the last one."""
    code = """
import alsamm
from alsamm import sim
with sim.Card("ago") as card, alsamm.PCM(card.device, "playback") as pcm:
    pcm.setup(format="S16_LE", channels=2, period_size=64, buffer_size=1024)
    with alsamm.MmapPlayback(pcm) as out:
        out.fill = out.commit(64)
        if out.state.name == "PREPARED":
            out.start_at(-(1 << 63))
        print(out.state.name)
        out.drop()
"""
    code = code.replace("        out.fill = out.commit(64)\n        if out.state.name", "        sw = pcm.sw_params()\n"
        "        sw.start_threshold = sw.boundary\n        pcm.configure(sw=sw)\n        out.commit(64)\n"
        "        if out.state.name")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.strip() == "RUNNING"


@pytest.mark.parametrize("speed", [float("inf"), float("nan"), 1e-300, 1e300, 0.0, -1.0])
def test_a_card_has_a_speed_that_time_can_be_counted_in(speed: float) -> None:
    with pytest.raises(alsamm.ArgumentError, match="speed"):
        sim.Card("speedy", speed=speed)
    with sim.Card("speedy") as card, pytest.raises(alsamm.ArgumentError, match="speed"):
        card.set_speed(speed)


@pytest.mark.parametrize("frames", [1 << 62, (1 << 64) - 1])
def test_time_does_not_go_on_for_longer_than_can_be_counted(frames: int) -> None:
    with sim.Card("old") as card, alsamm.PCM(card.device, "playback") as pcm:
        pcm.setup(format="S16_LE", channels=2, period_size=64, buffer_size=1024)
        before = card.time_ns
        with pytest.raises(alsamm.ArgumentError, match="years"):
            card.advance(frames)
        assert card.time_ns == before


def config_of(**values: int) -> object:
    """A card that can be, but for the values."""
    usual = {
        "speed": 1.0, "rate_min": 8000, "rate_max": 48000, "channels_min": 1, "channels_max": 2, "formats": 4,
        "accesses": 1, "period_bytes_min": 16, "period_bytes_max": 4096, "buffer_bytes_min": 32,
        "buffer_bytes_max": 8192, "periods_min": 2, "periods_max": 16,
    }  # fmt: skip
    return ffi.new("struct sim_config *", {**usual, **values})


@pytest.mark.parametrize(
    "values",
    [{"channels_min": 0}, {"rate_min": 0}, {"rate_count": 1}, {"rate_count": 33}, {"channels_max": 129},
     {"delay": 1 << 40}, {"delay": -1}, {"boundary": 1 << 63}],
    ids=str,
)  # fmt: skip
def test_cards_that_cannot_be(values: dict[str, int]) -> None:
    out = ffi.new("struct sim_card **")
    assert lib.sim_card_new(config_of(**values), out) == EINVAL
    assert lib.sim_card_new(config_of(), out) == 0
    lib.sim_card_close(out[0])


def test_pointers_from_elsewhere_are_late_and_no_more(ring: Opener) -> None:
    """The control page takes any number (rule D4); what is told of it is told by arithmetic that cannot overflow."""
    out = ring()
    spans = ffi.new("struct alsamm_spans *")
    for value in (1 << 63, (1 << 64) - 1, (1 << 63) - 1, out.boundary):
        lib.fast_set_appl_ptr(out._pages.struct, value)
        assert out.avail() >= 0
        assert lib.fast_spans(out._ring, spans) == 0
        assert spans.offset + spans.first <= out.buffer_size >= spans.first + spans.second
    lib.fast_set_appl_ptr(out._pages.struct, 0)
