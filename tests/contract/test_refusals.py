"""What cannot be mapped, and the error for each."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from typing import Any

import pytest

import alsamm
from alsamm.enums import Access, Direction, Format
from tests.contract.devices import Target, configure

OpenPcm = Callable[..., Any]


def kind_of(direction: Direction) -> Any:
    return alsamm.MmapPlayback if direction is Direction.PLAYBACK else alsamm.MmapCapture


def test_wrong_direction(open_pcm: OpenPcm, direction: Direction) -> None:
    other = kind_of(Direction.CAPTURE if direction is Direction.PLAYBACK else Direction.PLAYBACK)
    with pytest.raises(alsamm.UnsupportedError, match=f"{direction} PCM"):
        other(open_pcm(direction))


def test_wrong_access(device: Target, direction: Direction) -> None:
    with device.open(direction) as pcm:
        for access in (Access.RW_INTERLEAVED, Access.RW_NONINTERLEAVED):
            if access in alsamm.HwParams(pcm).accesses:
                configure(pcm, access=access)
                with pytest.raises(alsamm.UnsupportedError, match=access.name):
                    kind_of(direction)(pcm)
        configure(pcm)
        kind_of(direction)(pcm).close()


def test_not_configured(device: Target, direction: Direction) -> None:
    with device.open(direction) as pcm, pytest.raises(alsamm.StateError, match="configure"):
        kind_of(direction)(pcm)


@pytest.mark.needs("kernel")  # the timer is one of the kernel's
def test_more_than_one_poll_descriptor(open_pcm: OpenPcm, direction: Direction) -> None:
    """period_event adds a timer's descriptor (rule I7); the seed refused it without saying why."""
    pcm = open_pcm(direction)
    sw = alsamm.SwParams(pcm)
    sw.period_event = True
    pcm.configure(sw=sw)
    assert len(pcm.poll_descriptors()) == 2
    with pytest.raises(alsamm.UnsupportedError, match="descriptor"):
        kind_of(direction)(pcm)


@pytest.mark.parametrize("name", ["null", "plug:null"])
def test_a_pcm_that_is_no_kernel_device(name: str) -> None:
    with alsamm.PCM(name, "playback") as pcm:
        configure(pcm)
        for kind in (alsamm.MmapPlayback, alsamm.Status, alsamm.Control):
            with pytest.raises(alsamm.UnsupportedError, match="hw"):
                kind(pcm)


@pytest.mark.needs("kernel")  # alsa-lib's plug plugin reaches no other
def test_plughw_is_refused_though_it_would_pass_the_seeds_checks(device: Target, direction: Direction) -> None:
    name = device.pcm_name(direction)
    assert name is not None
    with alsamm.PCM("plug" + name, direction) as pcm:
        configure(pcm, access=Access.MMAP_INTERLEAVED)
        with pytest.raises(alsamm.UnsupportedError, match="hw"):
            kind_of(direction)(pcm)


def test_a_descriptor_that_is_no_pcm() -> None:
    with tempfile.TemporaryFile() as file, socket.socket() as sock:
        read, write = os.pipe()
        for fd in (file.fileno(), sock.fileno(), read, write, os.open("/dev/null", os.O_RDWR), -1, 1 << 20):
            for call in (alsamm.Status.from_fd, alsamm.Control.from_fd, alsamm.SyncPtrStatus.sync_ptr):
                with pytest.raises(alsamm.UnsupportedError, match="no PCM"):
                    call(fd)
            if fd in (read, write):
                os.close(fd)


def test_what_the_card_cannot_do_is_an_error_that_says_what_it_can(device: Target, direction: Direction) -> None:
    with device.open(direction) as pcm:
        hw = alsamm.HwParams(pcm)
        lacking = next(each for each in Format if each not in hw.formats)
        impossible: list[tuple[str, Any, str]] = [
            ("rate", 3_000_000_000, str(hw.range("rate").max)),
            ("channels", 4095, str(hw.range("channels").max)),
            ("period_size", 1 << 30, str(hw.range("period_size").max)),
            ("buffer_size", 1 << 30, str(hw.range("buffer_size").max)),
            ("format", lacking, hw.formats[0].name),
        ]
        for name, value, could in impossible:
            with pytest.raises(alsamm.ParameterError, match=name) as caught:
                setattr(hw, name, value)
            assert could in str(caught.value)
            assert caught.value.device == pcm.name
        nonsense: list[tuple[str, Any]] = [("format", "S17_LE"), ("access", "MMAP"), ("rate", "fast"), ("channels", -1)]
        for name, value in nonsense:
            with pytest.raises((alsamm.ArgumentError, alsamm.ArgumentTypeError, alsamm.ParameterError)):
                setattr(hw, name, value)
        configure(pcm)


def test_there_is_no_such_device() -> None:
    for name in ("hw:CARD=NoSuchCard", "nonsense", "hw:99,0", "sim:nobody"):
        with pytest.raises(alsamm.DeviceNotFoundError):
            alsamm.PCM(name, "playback")
    for name in ("", "hw:0,0\0"):
        with pytest.raises(alsamm.ArgumentError):
            alsamm.PCM(name, "playback")
    with pytest.raises(alsamm.ArgumentError, match="CAPTURE"):
        alsamm.PCM("null", "sideways")


@pytest.mark.needs("faults")  # pulling a real plug would end the card for the cases that follow
def test_unplugged_is_told_at_once(device: Target, open_pcm: OpenPcm, direction: Direction) -> None:
    assert device.card is not None
    with kind_of(direction)(open_pcm(direction)) as ring:
        device.card.unplug()
        for call in (ring.data, ring.hwsync, ring.start, lambda: ring.commit(0), ring.snapshot, ring.delay):
            with pytest.raises(alsamm.DeviceLostError):
                call()
        ring.close()


@pytest.mark.needs("faults")  # a real card is suspended by the whole system only
def test_suspended_is_told(device: Target, open_pcm: OpenPcm, direction: Direction) -> None:
    assert device.card is not None
    ring = kind_of(direction)(open_pcm(direction, stop_threshold="boundary"))
    if direction is Direction.PLAYBACK:
        ring.commit(ring.buffer_size)
    if ring.state.name == "PREPARED":
        ring.start()
    device.card.suspend()
    for call in (ring.data, ring.hwsync, lambda: ring.commit(0), ring.wait):
        with pytest.raises(alsamm.SuspendedError):
            call()
    device.card.resume_power()
    ring.prepare()
    assert ring.state.name == "PREPARED"
    ring.close()
