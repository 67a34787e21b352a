"""What `make fuzz` found at the edges: numbers that fit the C type but no arithmetic after it."""

from __future__ import annotations

import contextlib
import errno
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm._c import ffi, lib
from tests.unit.conftest import Opener

EINVAL = -errno.EINVAL


def test_a_start_long_ago_is_now() -> None:
    """In a process of its own, for it slept for ever: 200 us before the first time there is was the last one."""
    code = """
import alsamm
from alsamm import sim
with sim.Card("ago") as card, alsamm.PCM(card.device, "playback") as pcm:
    pcm.setup(format="S16_LE", channels=2, period_size=64, buffer_size=1024)
    with alsamm.MmapPlayback(pcm) as out:
        sw = pcm.sw_params()
        sw.start_threshold = sw.boundary
        pcm.configure(sw=sw)
        out.commit(64)
        out.start_at(-(1 << 63))
        print(out.state.name)
        out.drop()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.strip() == "RUNNING"


@pytest.mark.parametrize("speed", [float("inf"), float("nan"), 1e-300, 1e300, 0.0, -1.0])
def test_a_card_has_a_speed_that_time_can_be_counted_in(speed: float) -> None:
    with pytest.raises(alsamm.ArgumentError, match="speed"):
        sim.Card("speedy", speed=speed)
    with sim.Card("speedy") as card, pytest.raises(alsamm.ArgumentError, match="speed"):
        card.set_speed(speed)


@pytest.mark.parametrize("frames", [1 << 62, (1 << 63) - 1])
def test_time_does_not_go_on_for_longer_than_can_be_counted(frames: int) -> None:
    with sim.Card("old") as card, alsamm.PCM(card.device, "playback") as pcm:
        pcm.setup(format="S16_LE", channels=2, period_size=64, buffer_size=1024)
        before = card.time_ns
        with pytest.raises(alsamm.ArgumentError, match="years"):
            card.advance(frames)
        assert card.time_ns == before


@pytest.mark.parametrize("call", ["advance", "late"])
@pytest.mark.parametrize("value", [1 << 63, -1, 0.5, None, True])
def test_numbers_that_are_none_to_a_card(call: str, value: Any) -> None:
    with sim.Card("numbers") as card, pytest.raises((alsamm.ArgumentError, alsamm.ArgumentTypeError)):
        getattr(card, call)(value)


@pytest.mark.parametrize("name", ["rates", "channels", "periods", "granularity", "boundary", "delay", "dma_bytes"])
@pytest.mark.parametrize(
    "value", [1 << 64, 0.5, "5", (1, 2, 3, 1 << 64), object()], ids=["2^64", "0.5", "text", "four", "object"]
)
def test_what_a_card_cannot_be_made_of(name: str, value: Any) -> None:
    made: Any = sim.Card
    with pytest.raises((alsamm.ArgumentError, alsamm.ArgumentTypeError)):
        made("odd", **{name: value})


def test_numbers_that_no_c_type_holds(ring: Opener) -> None:
    """OverflowError is none of ours."""
    out = ring()
    for call in (out.set_frame, out.rewind, out.forward):
        for number in (1 << 63, -1):
            with pytest.raises(alsamm.ArgumentError):
                call(number)
    assert lib.fast_set_frame(out._ring, -(1 << 62) - 1) == EINVAL
    out.start_at(0)
    out.pause(1 << 64)
    assert out.state.name == "PAUSED"
    out.card.freeze(1 << 64)
    out.card.busy("capture", 1 << 64)


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
    lib.sim_card_free(out[0])


def test_pointers_from_elsewhere_are_late_and_no_more(ring: Opener) -> None:
    """The control page takes any number (rule D4); what is told of it is told by arithmetic that cannot overflow."""
    out = ring()
    spans = ffi.new("struct alsamm_spans *")
    for value in (1 << 63, (1 << 64) - 1, (1 << 63) - 1, out.boundary):
        lib.fast_set_appl_ptr(out._pages.struct, value)
        assert out.avail() >= 0
        with contextlib.suppress(alsamm.AlsaOSError):
            assert out.frame >= 0
        assert lib.fast_spans(out._ring, spans) == 0
        assert spans.offset + spans.first <= out.buffer_size >= spans.first + spans.second
    lib.fast_set_appl_ptr(out._pages.struct, 0)


def test_frame_numbers_seen_by_another_thread_never_go_back() -> None:
    """While C writes without the GIL over a boundary of two small buffers: found by ThreadSanitizer."""
    seen: list[int] = []
    with sim.Card("seen", clock="auto", boundary=64, record=False) as card, alsamm.PCM(card.device, "playback") as pcm:
        pcm.setup(format="S16_LE", channels=2, period_size=8, buffer_size=32)
        with alsamm.MmapPlayback(pcm) as out:
            done = threading.Event()

            def look() -> None:
                while not done.is_set():
                    seen.append(out.frame)

            thread = threading.Thread(target=look)
            thread.start()
            for _ in range(10):
                out.write_all(np.zeros((40_000, 2), "i2"))
            done.set()
            thread.join()
            out.drop()
    assert len(seen) > 100
    assert seen == sorted(seen)
    assert seen[-1] <= 400_000


def test_a_frame_number_is_not_told_while_it_changes(ring: Opener) -> None:
    """The owner says so by an odd version, from before appl_ptr goes back until the anchor fits it again."""
    out = ring()
    out.set_frame(1000)
    out._ring.anchor.version += 1
    assert lib.fast_frame(out._ring, ffi.new("long long *")) == -errno.EAGAIN
    assert lib.fast_place(out._ring, ffi.new("struct alsamm_place *")) == -errno.EAGAIN
    out._ring.anchor.version += 1
    assert out.frame == 1000


def test_a_size_is_not_cut_to_32_bits() -> None:
    with sim.Card("cut") as card:
        fd = ffi.new("int *")
        assert lib.sim_open(card._handle, 0, fd) == 0
        setup = {"access": 0, "format": 2, "channels": 2, "rate": 48000, "period_size": 64, "buffer_size": 1024}
        assert lib.sim_hw_params(fd[0], ffi.new("struct sim_setup *", setup)) == 0
        for name in ("period_size", "buffer_size"):
            wide = ffi.new("struct sim_setup *", {**setup, name: setup[name] + (1 << 32)})
            assert lib.sim_hw_params(fd[0], wide) == EINVAL
        lib.sim_close(fd[0])


@pytest.mark.parametrize("stride", [0, 1 << 62, -(1 << 62)])
def test_of_one_frame_any_stride_is_as_good(ring: Opener, stride: int) -> None:
    """What UBSan sees of it is seen by `make memory`."""
    out = ring()
    frame = np.lib.stride_tricks.as_strided(np.array([[3, 4]], "i2"), (1, 2), (stride, 2))
    assert out.write(frame) == 1
    assert out.channel(0)[0] == 3
    assert out.channel(1)[0] == 4


def _ends(code: str) -> str:
    """What a process of its own prints, for it went on for ever."""
    code = "import alsamm, numpy as np\nfrom alsamm import sim\nfrom alsamm._c import lib\n" + code
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True).stdout


@pytest.mark.parametrize(("config", "then"), [("granularity=1024", "pass"), ("delay=0", "card.freeze()")])
def test_alsa_libs_wait_ends_where_a_card_never_gets_on(config: str, then: str) -> None:
    """Its own poll sleeps by a descriptor that an auto card kept readable, so that it asked why, for ever."""
    said = _ends(f"""
with sim.Card("still", clock="auto", {config}) as card, alsamm.PCM(card.device, "capture") as pcm:
    pcm.setup(format="S16_LE", channels=1, period_size=64, buffer_size=128)
    assert lib.snd_pcm_start(pcm.handle) == 0
    {then}
    print(lib.snd_pcm_wait(pcm.handle, 20))
""")
    assert said.strip() == "0"


def test_a_capture_committed_beyond_what_was_captured_goes_on_at_once() -> None:
    """As if it were late by all the boundary, a card without rewinds was caught up with in 2^55 steps of a ring."""
    said = _ends("""
with sim.Card("ahead", no_rewinds=True, refuse_control=True) as card, alsamm.PCM(card.device, "capture") as pcm:
    pcm.setup(format="S16_LE", channels=2, period_size=32, buffer_size=128)
    with alsamm.MmapCapture(pcm) as ring:
        ring.start()
        ring.control.appl_ptr = 1
        try:
            ring.fill(np.zeros((16, 2), "i2"), 0.1, recover=True)
        except TimeoutError:
            print(ring.state.name, ring.xruns)
""")
    assert said.strip() == "RUNNING 1"
