"""SYNC_PTR of the software card: rules D1-D9, and the boundary."""

from __future__ import annotations

import errno

import pytest

from alsamm._c import ffi, lib
from alsamm.enums import State
from tests.unit.simkit import raw

HWSYNC, GET_APPL, GET_AVAIL_MIN, QUERY = (
    lib.ALSAMM_SYNC_HWSYNC,
    lib.ALSAMM_SYNC_GET_APPL,
    lib.ALSAMM_SYNC_GET_AVAIL_MIN,
    lib.ALSAMM_QUERY,
)


@pytest.mark.parametrize(
    ("flags", "appl_ptr", "avail_min"),
    [(QUERY, 100, 64), (GET_AVAIL_MIN, 77, 64), (GET_APPL, 100, 9), (0, 77, 9)],
)
def test_a_flag_that_is_set_gets_one_that_is_clear_sets(flags: int, appl_ptr: int, avail_min: int) -> None:
    with raw() as pcm:
        pcm.commit(100)
        code, now = pcm.sync(flags, 77, 9)
        assert code == 0
        assert (now.appl_ptr, now.avail_min) == (appl_ptr, avail_min)
        assert (pcm.truth.appl_ptr, pcm.truth.avail_min) == (appl_ptr, avail_min)


def test_the_seeds_defect_resets_a_running_stream() -> None:
    with raw() as pcm:
        pcm.commit(256)
        pcm.op("start")
        assert pcm.sync(0)[0] == 0, "flags 0 and zeros: the seed's 'harmless' query (D2, D3)"
        assert (pcm.truth.appl_ptr, pcm.truth.avail_min) == (0, 0)
        pcm.card.advance(64)
        assert pcm.state() is State.XRUN


def test_appl_ptr_is_checked_against_the_boundary_only() -> None:
    with raw(boundary=1024) as pcm:
        assert pcm.sync(GET_AVAIL_MIN, 1024)[0] == -errno.EINVAL
        assert pcm.sync(GET_AVAIL_MIN, (1 << 64) - 256)[0] == -errno.EINVAL, "the seed's commit at the wrap (E5)"
        assert pcm.truth.appl_ptr == 0
        assert pcm.sync(GET_AVAIL_MIN, 1023)[0] == 0, "any jump, also far over what is free (D4)"
        pcm.op("drop")
        assert pcm.sync(GET_AVAIL_MIN, 500)[0] == 0, "in any state (D8)"


def test_avail_min_is_not_checked() -> None:
    with raw() as pcm:
        assert pcm.sync(GET_APPL, 0, 0)[0] == 0
        assert pcm.truth.avail_min == 0
        assert pcm.poll() == (1, lib.POLLOUT)


def test_an_error_of_hwsync_ends_the_call_and_writes_nothing() -> None:
    with raw() as pcm:
        pcm.commit(64)
        pcm.op("start")
        pcm.op("xrun")
        code, now = pcm.sync(HWSYNC, 7, 7)
        assert code == -errno.EPIPE
        assert (now.state, now.hw_ptr, now.appl_ptr) == (0, 0, 7)
        assert (pcm.truth.appl_ptr, pcm.truth.avail_min) == (64, 64), "appl_ptr and avail_min stay"
        code, now = pcm.sync()
        assert (code, now.state) == (0, State.XRUN)


def test_hwsync_first_then_the_pointers() -> None:
    with raw() as pcm:
        pcm.commit(256)
        pcm.op("start")
        pcm.card.advance(30)
        assert pcm.sync()[1].hw_ptr == 0, "stale (H1)"
        code, now = pcm.sync(HWSYNC | QUERY)
        assert (code, now.hw_ptr, now.appl_ptr) == (0, 30, 256)


@pytest.mark.parametrize("capture", [False, True])
def test_both_pointers_wrap_at_a_tiny_boundary(capture: bool) -> None:
    with raw(capture=capture, boundary=512) as pcm:
        setup = ffi.new("struct sim_sw_setup *", {"avail_min": 64, "start_threshold": 1, "stop_threshold": 256})
        assert lib.sim_sw_params(pcm.fd, setup) == 0
        assert setup.boundary == 512
        if not capture:
            pcm.commit(256)
        pcm.op("start")
        seen = []
        for _ in range(20):
            pcm.card.advance(64)
            pcm.commit(64)
            assert pcm.state() is State.RUNNING
            seen.append(pcm.truth.hw_ptr)
        assert seen == [64 * n % 512 for n in range(1, 21)]
        assert pcm.truth.appl_ptr == (20 * 64 + (0 if capture else 256)) % 512
        assert pcm.status().audio_tstamp_ns == 0


def test_audio_time_does_not_wrap() -> None:
    with raw(boundary=512) as pcm:
        pcm.software(tstamp_mode=1, tstamp_type=1, stop_threshold=512)
        pcm.op("start")
        pcm.card.advance(48_000)
        assert pcm.sync(HWSYNC | QUERY)[1].audio_tstamp_ns == 1_000_000_000


def test_the_kernels_own_boundary() -> None:
    with raw(geometry={"period": 100, "buffer": 1000}) as pcm:
        boundary = pcm.truth.boundary
        assert boundary % 1000 == 0
        assert (boundary // 1000).bit_count() == 1
        assert boundary <= 2**63 - 1 - 1000 < boundary * 2


def test_a_boundary_that_is_no_multiple_is_refused() -> None:
    with raw(prepared=False, boundary=1000) as pcm:
        assert pcm.configure() == -errno.EINVAL
    with raw(prepared=False, boundary=256) as pcm:
        assert pcm.configure() == -errno.EINVAL


def test_timestamps_move_only_with_hw_ptr() -> None:
    with raw() as pcm:
        pcm.commit(256)
        pcm.op("start")
        pcm.card.advance(64)
        assert pcm.sync()[1].tstamp_ns == 0, "off by default (M1)"
        assert pcm.software(tstamp_mode=1, tstamp_type=1) == 0
        pcm.card.advance(64)
        first = pcm.sync()[1]
        assert first.tstamp_ns > 0
        assert first.audio_tstamp_ns == 128 * 1_000_000_000 // 48_000
        assert pcm.op("hwsync") == 0
        assert pcm.sync()[1].tstamp_ns == first.tstamp_ns, "the time of the last movement (M4)"
        assert pcm.op("drop") == 0
        pcm.card.advance(48)
        assert pcm.status().tstamp_ns == first.tstamp_ns + 1_000_000, "not running: now"
        assert pcm.status().trigger_tstamp_ns >= first.tstamp_ns


def test_status_resets_avail_max() -> None:
    with raw() as pcm:
        pcm.commit(256)
        pcm.op("start")
        pcm.card.advance(130)
        pcm.commit(100)
        now = pcm.status()
        assert (now.avail, now.avail_max, now.delay) == (30, 128, 226)
        assert pcm.status().avail_max == 0


def test_delay_counts_the_fifo() -> None:
    with raw(delay=40) as pcm:
        pcm.commit(100)
        assert pcm.delay() == (0, 140)
        pcm.op("start")
        pcm.card.advance(10)
        assert pcm.delay() == (0, 130)
