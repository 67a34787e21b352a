"""Where samples lie and how pointers move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm.enums import Direction, State
from tests.contract.devices import PERIOD, Target

OpenRing = Callable[..., Any]
pytestmark = pytest.mark.filterwarnings("error")


def ramp(frames: int, channels: int = 2, start: int = 0) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Frames that tell their own number, and channels apart."""
    numbers = np.arange(start, start + frames)[:, None] * channels + np.arange(channels)
    return (numbers % 65_521 - 32_760).astype("i2")


def test_geometry_is_what_was_granted(open_ring: OpenRing, direction: Direction, force_sync_ptr: bool) -> None:
    ring = open_ring(direction, force_sync_ptr=force_sync_ptr)
    pcm_hw = ring.device.hw_params()
    assert (ring.channels, ring.buffer_size, ring.period_size) == (2, pcm_hw.buffer_size, pcm_hw.period_size)
    assert ring.boundary % ring.buffer_size == 0
    turns = ring.boundary // ring.buffer_size
    assert turns & (turns - 1) == 0
    assert turns > 1
    assert ring.state is State.PREPARED
    assert (ring.appl_ptr, ring.hw_ptr) == (0, 0)
    assert repr(ring).count(str(ring.buffer_size)) == 1


def test_transport_says_which_road(open_ring: OpenRing, device: Target, direction: Direction) -> None:
    ring = open_ring(direction)
    assert tuple(ring.transport) == device.transports
    ring.close()
    forced = alsamm.MmapPlayback if direction is Direction.PLAYBACK else alsamm.MmapCapture
    with forced(ring.device, force_sync_ptr=True) as again:
        assert [str(road) for road in again.transport] == ["SYNC_PTR", "SYNC_PTR"]


@pytest.mark.needs("playback")
def test_both_spans_at_the_rings_end(open_ring: OpenRing, device: Target, force_sync_ptr: bool) -> None:
    """Fill, let the card play some, write on: the room left lies behind the last frame and before the first played."""
    ring = open_ring(
        Direction.PLAYBACK, force_sync_ptr=force_sync_ptr, start_threshold="boundary", stop_threshold="boundary"
    )
    size, part = ring.buffer_size, ring.buffer_size // 4
    assert ring.write(ramp(size - part)) == size - part
    first, second = ring.data()
    assert (first.offset, first.frames, second) == (size - part, part, None)
    ring.start()
    device.pass_time(2 * PERIOD)
    ring.hwsync()
    before = min(ring.avail(), size)
    first, second = ring.data()
    after = min(ring.avail(), size)  # the card moves on
    assert second is not None
    assert (first.offset, first.frames, second.offset) == (size - part, part, 0)
    assert before <= first.frames + second.frames <= after
    assert second.frames > 0
    assert first.samples == part * 2
    assert second.address == first.address - (size - part) * first.step
    written = ring.write(ramp(part + 100, start=5000))
    assert written == part + 100
    np.testing.assert_array_equal(first.view, ramp(part, start=5000))
    np.testing.assert_array_equal(second.view[:100], ramp(100, start=5000 + part))


@pytest.mark.needs("capture")
def test_capture_reads_across_the_rings_end(open_ring: OpenRing, force_sync_ptr: bool) -> None:
    ring = open_ring(Direction.CAPTURE, force_sync_ptr=force_sync_ptr, stop_threshold="boundary")
    ring.start()
    read = 0
    while read < ring.buffer_size + PERIOD:
        ring.wait()
        read += len(ring.read(700))
        assert ring.appl_ptr == read
    assert ring.state is State.RUNNING


def test_the_wrap_at_boundary(open_ring: OpenRing, device: Target, direction: Direction, force_sync_ptr: bool) -> None:
    """appl_ptr is put near boundary while PREPARED, as the kernel allows (rule E5b); then ordinary commits cross it."""
    ring = open_ring(direction, force_sync_ptr=force_sync_ptr, stop_threshold="boundary", start_threshold="boundary")
    boundary = ring.boundary
    ring.control.appl_ptr = boundary - 512
    if direction is Direction.PLAYBACK:
        assert ring.avail() == ring.buffer_size + 512  # hw_ptr is ahead: late, and told so
    else:
        assert ring.avail() == 512
    for expected in (boundary - 256, 0):
        ring.commit(256)
        assert ring.appl_ptr == expected
        assert ring.snapshot().appl_ptr == expected, "the kernel sees it too"
    ring.start()
    if direction is Direction.CAPTURE:
        while ring.avail() < 256:
            device.pass_time(256)
            ring.hwsync()
    ring.commit(256)
    assert ring.appl_ptr == 256
    assert ring.state is State.RUNNING
    assert ring.data()[0].offset == 256 % ring.buffer_size


@pytest.mark.needs("capture")
def test_the_seeds_commit_would_have_failed_there(open_ring: OpenRing, force_sync_ptr: bool) -> None:
    """alsa-rs stores ``appl + v - boundary`` one commit early (S2); the kernel takes it by page, not by SYNC_PTR."""
    ring = open_ring(Direction.CAPTURE, force_sync_ptr=force_sync_ptr, stop_threshold="boundary")
    appl_ptr, v, boundary = ring.boundary - 512, 256, ring.boundary
    ring.control.appl_ptr = appl_ptr
    z = appl_ptr + v
    seeds = z - boundary if z + v >= boundary else z
    assert seeds == -256
    with pytest.raises(alsamm.ArgumentError, match="-256"):
        ring.control.appl_ptr = seeds
    ring.commit(v)
    assert ring.appl_ptr == boundary - 256
    assert ring.data()[0].offset == (boundary - 256) % ring.buffer_size


def test_more_than_avail_is_refused(open_ring: OpenRing, direction: Direction, force_sync_ptr: bool) -> None:
    ring = open_ring(direction, force_sync_ptr=force_sync_ptr, start_threshold="boundary")
    avail = ring.avail()
    assert avail == (ring.buffer_size if direction is Direction.PLAYBACK else 0)
    for frames in (avail + 1, -1, 1 << 62, 1 << 80):
        with pytest.raises(alsamm.ArgumentError, match="can be committed"):
            ring.commit(frames)
    assert ring.appl_ptr == 0
    ring.commit(avail)
    assert ring.appl_ptr == avail
    with pytest.raises(alsamm.ArgumentError):
        ring.commit(1)


@pytest.mark.needs("playback")
def test_read_after_write_of_the_control_page(open_ring: OpenRing, force_sync_ptr: bool) -> None:
    ring = open_ring(Direction.PLAYBACK, force_sync_ptr=force_sync_ptr)
    for avail_min in (1, 77, ring.buffer_size):
        ring.avail_min = avail_min
        assert ring.avail_min == avail_min == ring.snapshot().avail_min
    for bad in (0, -1, ring.buffer_size + 1):
        with pytest.raises(alsamm.ArgumentError, match="avail_min"):
            ring.avail_min = bad
    ring.control.appl_ptr = 123
    assert ring.appl_ptr == 123 == ring.snapshot().appl_ptr
    assert ring.avail_min == ring.buffer_size, "setting one pointer leaves the other"


@pytest.mark.needs("playback")
def test_sync_ptr_asks_without_changing(open_ring: OpenRing) -> None:
    """The seed's harmless-looking query put both pointers to 0 (S1)."""
    ring = open_ring(Direction.PLAYBACK, start_threshold="boundary")
    ring.write(ramp(300))
    ring.avail_min = 55
    fd = ring.device.kernel_fd()
    for hwsync in (False, True):
        asked = alsamm.SyncPtrStatus.sync_ptr(fd, hwsync)
        assert (asked.appl_ptr, asked.avail_min, asked.state) == (300, 55, ring.state)
    assert (ring.appl_ptr, ring.avail_min) == (300, 55)
    assert alsamm.SyncPtrStatus.sync_ptr(fd, appl_ptr=200).appl_ptr == 200
    assert (ring.appl_ptr, ring.avail_min) == (200, 55)
    assert alsamm.SyncPtrStatus.sync_ptr(fd, avail_min=66).avail_min == 66
    assert (ring.appl_ptr, ring.avail_min) == (200, 66)
    with pytest.raises(alsamm.ArgumentError, match="below boundary"):
        alsamm.SyncPtrStatus.sync_ptr(fd, appl_ptr=ring.boundary)
    with pytest.raises(alsamm.ArgumentError, match="above 0"):
        alsamm.SyncPtrStatus.sync_ptr(fd, avail_min=0)
    assert (ring.appl_ptr, ring.avail_min) == (200, 66)


@pytest.mark.needs("playback")
def test_writes_any_layout_of_array(open_ring: OpenRing, force_sync_ptr: bool) -> None:
    ring = open_ring(Direction.PLAYBACK, force_sync_ptr=force_sync_ptr, start_threshold="boundary")
    wide = ramp(200, 5)
    backwards = ramp(100)[::-1]
    blocks = [
        ramp(100),
        np.asfortranarray(ramp(100)),
        wide[::2, 1:4:2],
        backwards,
        np.broadcast_to(np.array([[7, -7]], "i2"), (100, 2)),
        ramp(100).data,
        ramp(100).tobytes(),
        bytearray(ramp(100).tobytes()),
    ]
    place = 0
    for block in blocks:
        wanted = (
            np.frombuffer(block, "i2").reshape(-1, 2) if isinstance(block, (bytes, bytearray)) else np.asarray(block)
        )
        there = ring.data()[0].view[:100]
        assert ring.write(block) == 100
        np.testing.assert_array_equal(there, wanted)
        place += 100
        assert ring.appl_ptr == place


@pytest.mark.needs("playback")
def test_refuses_arrays_that_do_not_fit(open_ring: OpenRing) -> None:
    ring = open_ring(Direction.PLAYBACK)
    good = ramp(10)
    for bad in (
        good.astype("f4"),
        good.astype(">i2"),
        good.astype("u2"),
        good.astype(object),
        good.astype(complex),
        5,
        None,
    ):
        with pytest.raises(alsamm.ArgumentTypeError):
            ring.write(bad)
    for misshapen in (good.ravel(), good[:, :1], ramp(10, 3), good[None], np.int16(3).reshape(()), good.tobytes()[:-1]):
        with pytest.raises(alsamm.ArgumentError):
            ring.write(misshapen)
    with pytest.raises(alsamm.ArgumentError, match="contiguous"):
        ring.write(memoryview(good.tobytes())[::2])
    assert ring.write(good[:0]) == 0
    assert ring.appl_ptr == 0


@pytest.mark.needs("capture")
def test_refuses_targets_that_do_not_fit(open_ring: OpenRing) -> None:
    ring = open_ring(Direction.CAPTURE)
    good = np.zeros((10, 2), "i2")
    readonly = good.copy()
    readonly.flags.writeable = False
    one = np.zeros((1, 2), "i2")
    piled = np.lib.stride_tricks.as_strided(one, (10, 2), (0, 2))
    for bad, kind in (
        (good.astype("i4"), alsamm.ArgumentTypeError),
        ("text", alsamm.ArgumentTypeError),
        (ramp(10, 3), alsamm.ArgumentError),
        (readonly, alsamm.ArgumentError),
        (bytes(40), alsamm.ArgumentError),
        (piled, alsamm.ArgumentError),
    ):
        with pytest.raises(kind):
            ring.read_into(bad)
    with pytest.raises(alsamm.ArgumentError):
        ring.read(-1)
    assert ring.read_into(good[:0]) == 0


@pytest.mark.needs("playback")
def test_writes_from_an_iterator(open_ring: OpenRing, force_sync_ptr: bool) -> None:
    ring = open_ring(Direction.PLAYBACK, force_sync_ptr=force_sync_ptr, start_threshold="boundary")
    endless = iter(range(1 << 60))
    samples = (n % 1000 for n in endless)
    assert ring.write(samples) == ring.buffer_size
    assert next(endless) == ring.buffer_size * 2, "no sample more than there was room for is taken"
    ring.prepare()
    there = ring.data()[0].view[:3]
    assert ring.write([1, 2, 3, 4, 5, 6]) == 3
    assert there.tolist() == [[1, 2], [3, 4], [5, 6]]
    with pytest.raises(alsamm.ArgumentError, match="within a frame"):
        ring.write(iter([1, 2, 3]))
    with pytest.raises(alsamm.ArgumentError, match="32767"):
        ring.write([40_000, 0])
    for bad in ([0.5, 0.5], ["a", "b"], [[1, 2], [3, 4]], [None, None]):
        with pytest.raises(alsamm.ArgumentTypeError):
            ring.write(bad)
    assert ring.appl_ptr == 3
    first, _ = ring.data()
    assert first.write_samples(iter([9, 8, 7])) == (True, 3)
    assert first.view[:2].tolist() == [[9, 8], [7, 0]]


@pytest.mark.needs("capture")
def test_iterates_over_captured_samples(open_ring: OpenRing, device: Target, force_sync_ptr: bool) -> None:
    ring = open_ring(Direction.CAPTURE, force_sync_ptr=force_sync_ptr, stop_threshold="boundary")
    assert list(ring) == []
    ring.start()
    while ring.avail() < 2 * PERIOD:
        device.pass_time(PERIOD)
        ring.hwsync()
    expected = ring.data()[0].view[:10].ravel().tolist()
    samples = ring.iter()
    assert [next(samples) for _ in range(4)] == expected[:4]
    samples.close()
    samples.close()
    assert ring.appl_ptr == 2, "closed: the whole frames that were taken"
    samples = iter(ring)
    assert [next(samples) for _ in range(3)] == expected[4:7]
    del samples
    assert ring.appl_ptr == 3, "dropped within a frame: that frame stays, so that no channel slips"
    samples = iter(ring)
    assert next(samples) == expected[6]
    rest = list(samples)
    assert len(rest) % 2 == 1
    assert ring.appl_ptr == 3 + (1 + len(rest)) // 2, "exhausted"


@pytest.mark.needs("playback")
def test_reserve_commits_on_leaving_and_not_on_an_error(open_ring: OpenRing) -> None:
    ring = open_ring(Direction.PLAYBACK, start_threshold="boundary")
    with ring.reserve(64) as frames:
        assert frames.shape == (64, 2)
        frames[:] = 1
        assert ring.appl_ptr == 0
    assert ring.appl_ptr == 64
    with pytest.raises(ZeroDivisionError), ring.reserve(64):
        raise ZeroDivisionError
    assert ring.appl_ptr == 64
    with pytest.raises(alsamm.ArgumentError), ring.reserve(-1):
        pass


def test_a_channel_by_itself(open_ring: OpenRing, direction: Direction) -> None:
    ring = open_ring(direction)
    for number in range(2):
        assert ring.channel(number).shape == (ring.buffer_size,)
        if direction is Direction.PLAYBACK:
            ring.data()[0].view[:10, number] = number + 5
            assert ring.channel(number)[:11].tolist() == [number + 5] * 10 + [0]
        assert ring.channel(number).flags.writeable == (direction is Direction.PLAYBACK)
    with pytest.raises(alsamm.ArgumentError):
        ring.channel(2)
