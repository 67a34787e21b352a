"""The ring's arithmetic: C against unbounded integers, and both against what the seed did."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from alsamm._c import lib
from alsamm.direct import ring

LONG_MAX = (1 << 63) - 1


def kernel_boundary(buffer_size: int, largest: int) -> int:
    """What snd_pcm_hw_params computes: the largest buffer_size * 2^n with 2 * boundary <= largest - buffer_size."""
    boundary = buffer_size
    while boundary * 2 <= largest - buffer_size:
        boundary *= 2
    return boundary


@st.composite
def positions(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """(hw_ptr, filled, buffer_size, boundary), often near the wrap."""
    buffer_size = draw(st.integers(1, 1 << 20))
    boundary = draw(st.sampled_from([2 * buffer_size, 4 * buffer_size, kernel_boundary(buffer_size, LONG_MAX)]))
    near = draw(st.integers(-2 * buffer_size, 2 * buffer_size))
    hw_ptr = draw(st.sampled_from([near % boundary, draw(st.integers(0, boundary - 1))]))
    return hw_ptr, draw(st.integers(0, buffer_size)), buffer_size, boundary


@given(positions())
def test_playback_avail_is_the_room_left(position: tuple[int, int, int, int]) -> None:
    hw_ptr, filled, buffer_size, boundary = position
    appl_ptr = ring.advance(hw_ptr, filled, boundary)
    room = ring.avail(capture=False, hw_ptr=hw_ptr, appl_ptr=appl_ptr, buffer_size=buffer_size, boundary=boundary)
    assert room == buffer_size - filled
    assert lib.fast_ring_avail(0, hw_ptr, appl_ptr, buffer_size, boundary) == room


@given(positions())
def test_capture_avail_is_what_was_filled(position: tuple[int, int, int, int]) -> None:
    appl_ptr, filled, buffer_size, boundary = position
    hw_ptr = ring.advance(appl_ptr, filled, boundary)
    there = ring.avail(capture=True, hw_ptr=hw_ptr, appl_ptr=appl_ptr, buffer_size=buffer_size, boundary=boundary)
    assert there == filled
    assert lib.fast_ring_avail(1, hw_ptr, appl_ptr, buffer_size, boundary) == there


@given(positions(), st.integers(1, 1 << 21))
def test_late_is_told_by_more_than_the_buffer(position: tuple[int, int, int, int], late: int) -> None:
    appl_ptr, _, buffer_size, boundary = position
    late %= boundary - buffer_size
    hw_ptr = ring.advance(appl_ptr, late, boundary)
    for capture, expected in ((False, buffer_size + late), (True, late)):
        avail = ring.avail(
            capture=capture, hw_ptr=hw_ptr, appl_ptr=appl_ptr, buffer_size=buffer_size, boundary=boundary
        )
        assert avail == expected % boundary
        assert lib.fast_ring_avail(capture, hw_ptr, appl_ptr, buffer_size, boundary) == avail


@given(positions())
def test_advance_stays_in_the_boundary_and_keeps_the_ring_offset(position: tuple[int, int, int, int]) -> None:
    pointer, frames, buffer_size, boundary = position
    after = ring.advance(pointer, frames, boundary)
    assert 0 <= after < boundary
    assert after % buffer_size == (pointer + frames) % buffer_size
    assert lib.fast_ring_advance(pointer, frames, boundary) == after


@given(positions())
def test_spans_cover_the_frames_once(position: tuple[int, int, int, int]) -> None:
    pointer, frames, buffer_size, _ = position
    offset, first, second = ring.spans(pointer, frames, buffer_size)
    assert first + second == frames
    assert 0 <= offset < buffer_size
    assert offset + first <= buffer_size
    assert second == 0 or (offset + first == buffer_size and second <= offset)


def seed_commit(appl_ptr: int, frames: int, boundary: int) -> int:
    """``MmapIO::commit`` of alsa-rs (S2): it tests the wrong sum."""
    z = appl_ptr + frames
    return z - boundary if z + frames >= boundary else z


@given(positions())
@example((LONG_MAX // 2 + 1 - 512, 256, 1024, 1 << 62))  # rule E5: -256, where 2^62 - 256 is right
def test_the_seeds_commit_leaves_the_ring_where_ours_does_not(position: tuple[int, int, int, int]) -> None:
    appl_ptr, frames, buffer_size, boundary = position
    theirs = seed_commit(appl_ptr, frames, boundary)
    ours = lib.fast_ring_advance(appl_ptr, frames, boundary)
    too_early = boundary - 2 * frames <= appl_ptr < boundary - frames
    assert (theirs < 0) == too_early
    assert theirs == (ours - boundary if too_early else ours)
    assert 0 <= ours % buffer_size < buffer_size


def test_the_seeds_commit_fails_at_every_wrap_of_an_ordinary_stream() -> None:
    """A commit that divides the ring hits the window each time round: appl_ptr is negative once per boundary."""
    boundary, period = 4096, 256
    appl_ptr, negatives = 0, 0
    for _ in range(10 * boundary // period):
        appl_ptr = seed_commit(appl_ptr, period, boundary)
        negatives += appl_ptr < 0
    assert negatives == 10
    appl_ptr = 0
    for _ in range(10 * boundary // period):
        appl_ptr = lib.fast_ring_advance(appl_ptr, period, boundary)
        assert 0 <= appl_ptr < boundary
    assert appl_ptr == 0
