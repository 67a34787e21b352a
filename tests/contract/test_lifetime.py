"""Who holds the card, for how long, and what happens to those who come too late."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm.enums import Direction, State
from tests.contract.devices import PERIOD, Target, configure

OpenRing = Callable[..., Any]


def test_close_in_any_order_frees_the_card_at_once(device: Target, direction: Direction, force_sync_ptr: bool) -> None:
    kind = alsamm.MmapPlayback if direction is Direction.PLAYBACK else alsamm.MmapCapture
    for ring_first in (True, False):
        for _ in range(2):
            pcm = device.open(direction)
            configure(pcm)
            ring = kind(pcm, force_sync_ptr=force_sync_ptr)
            first, second = (ring, pcm) if ring_first else (pcm, ring)
            first.close()
            second.close()
            ring.close()
            pcm.close()
            assert ring.closed
            assert pcm.closed
            assert "closed" in repr(ring)


def test_use_after_close(open_ring: OpenRing, direction: Direction, force_sync_ptr: bool) -> None:
    ring = open_ring(direction, force_sync_ptr=force_sync_ptr)
    status, control = ring.status, ring.control
    ring.close()
    calls: list[Callable[[], Any]] = [
        ring.avail,
        ring.data,
        ring.prepare,
        ring.start,
        ring.drop,
        ring.drain,
        ring.hwsync,
        ring.delay,
        ring.wait,
        ring.snapshot,
        lambda: ring.commit(0),
        lambda: ring.commit(-1),
        lambda: ring.state,
        lambda: ring.hw_ptr,
        lambda: ring.appl_ptr,
        lambda: ring.avail_min,
        lambda: ring.channel(0),
        lambda: status.hw_ptr,
        lambda: status.htstamp_ns,
        lambda: setattr(control, "appl_ptr", 1),
        lambda: setattr(control, "avail_min", 1),
    ]
    if direction is Direction.PLAYBACK:
        calls += [lambda: ring.write(np.zeros((1, 2), "i2")), lambda: ring.write([1, 2]), ring.silence]
    else:
        calls += [lambda: ring.read(1), ring.iter]
    for call in calls:
        with pytest.raises(alsamm.ClosedError):
            call()


def test_views_outlive_their_stream(open_ring: OpenRing, device: Target, direction: Direction) -> None:
    ring = open_ring(direction)
    pcm = ring.device
    view = ring.channel(1)[5:50:2]
    ring.silence()
    ring.close()
    pcm.close()
    device.open(direction).close()  # which a mapping that lives would prevent (rule C10)
    np.testing.assert_array_equal(view, 0)
    if direction is Direction.PLAYBACK:
        view[:] = 7
        np.testing.assert_array_equal(view, 7)


def test_capture_views_are_read_only(open_ring: OpenRing, device: Target) -> None:
    direction = Direction.CAPTURE if device.capture else Direction.PLAYBACK
    ring = open_ring(direction)
    view = ring.channel(0)
    assert view.flags.writeable == (direction is Direction.PLAYBACK)
    if direction is Direction.CAPTURE:
        with pytest.raises(ValueError, match="WRITEABLE"):
            view.flags.writeable = True


def test_status_and_control_keep_the_device_open(device: Target, direction: Direction, force_sync_ptr: bool) -> None:
    pcm = device.open(direction)
    configure(pcm)
    status = alsamm.Status(pcm, force_sync_ptr=force_sync_ptr)
    control = alsamm.Control.from_fd(pcm.kernel_fd(), force_sync_ptr=force_sync_ptr)
    assert (status.state, status.hw_ptr, control.appl_ptr) == (State.PREPARED, 0, 0)
    pcm.close()
    assert status.state in (State.OPEN, State.SETUP, State.PREPARED)
    with pytest.raises(alsamm.DeviceBusyError):
        device.open(direction)
    status.close()
    status.close()
    with pytest.raises(alsamm.DeviceBusyError):
        device.open(direction)
    control.close()
    device.open(direction).close()


def test_busy_says_who(device: Target, direction: Direction) -> None:
    with device.open(direction), pytest.raises(alsamm.DeviceBusyError) as caught:
        device.open(direction)
    if device.card is None:
        assert str(os.getpid()) in str(caught.value)


def test_configure_while_mapped(open_ring: OpenRing, direction: Direction) -> None:
    ring = open_ring(direction)
    with pytest.raises(alsamm.StateError, match="close"):
        configure(ring.device)
    with pytest.raises(alsamm.StateError, match="mapped"):
        type(ring)(ring.device)
    ring.close()
    configure(ring.device)
    with type(ring)(ring.device) as again:
        assert again.state is State.PREPARED


def test_leaving_with(open_ring: OpenRing, direction: Direction) -> None:
    ring = open_ring(direction, start_threshold="boundary")  # an emulated machine may be late to drain
    with ring:
        if direction is Direction.PLAYBACK:
            ring.write(np.zeros((PERIOD, 2), "i2"))
        else:
            ring.start()
        pcm = ring.device
    assert ring.closed
    assert pcm.state is State.SETUP
    again = type(ring)(pcm)
    again.prepare()
    with pytest.raises(ZeroDivisionError), again:
        raise ZeroDivisionError
    assert again.closed
    assert pcm.state is State.SETUP


def test_a_fork_does_not_hold_the_card(open_ring: OpenRing, direction: Direction) -> None:
    """The child has neither the mapping (rule C9) nor a way to move our pointers, and its views do not kill it."""
    ring = open_ring(direction)
    view = ring.channel(0)
    to_us, to_child = os.pipe(), os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the software card has a thread
        child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(to_child[1])
            closed = ring.closed and ring.status.closed
            view.sum()
            try:
                ring.avail()
            except alsamm.ClosedError:
                code = 0 if closed else 2
            os.write(to_us[1], b"x")
            os.read(to_child[0], 1)  # until the parent has done
        finally:
            os._exit(code)
    os.close(to_us[1])
    try:
        assert os.read(to_us[0], 1) == b"x", "the child died"
        del view
        assert ring.state is State.PREPARED
        ring.close()
        configure(ring.device)
    finally:
        for fd in (to_child[1], to_child[0], to_us[0]):
            os.close(fd)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_dropped_ring_unmaps(open_ring: OpenRing, direction: Direction) -> None:
    ring = open_ring(direction)
    pcm = ring.device
    kind = type(ring)
    ring.close()
    ring = kind(pcm)
    del ring
    gc.collect()
    configure(pcm)


@pytest.mark.needs("playback")
@pytest.mark.needs("capture")
def test_two_streams_at_a_time(open_ring: OpenRing) -> None:
    out = open_ring(Direction.PLAYBACK, stop_threshold="boundary")
    mic = open_ring(Direction.CAPTURE, stop_threshold="boundary")
    out.write(np.ones((out.buffer_size, 2), "i2"))
    if out.state is State.PREPARED:
        out.start()
    mic.start()
    for _ in range(6):
        mic.wait()
        got = len(mic.read(PERIOD))
        assert got > 0
        out.hwsync()
        out.write(np.ones((PERIOD, 2), "i2"))
    assert (out.state, mic.state) == (State.RUNNING, State.RUNNING)


@pytest.mark.needs("playback")
@pytest.mark.needs("capture")
def test_linked_streams_start_together_where_they_can(open_ring: OpenRing) -> None:
    out = open_ring(Direction.PLAYBACK, start_threshold="boundary", stop_threshold="boundary")
    mic = open_ring(Direction.CAPTURE, stop_threshold="boundary")
    out.device.link(mic.device)
    out.write(np.ones((PERIOD, 2), "i2"))
    out.start()
    assert (out.state, mic.state) == (State.RUNNING, State.RUNNING)
    out.drop()
    assert mic.state is State.SETUP
    out.device.unlink()
