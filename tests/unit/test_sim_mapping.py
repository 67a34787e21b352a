"""Mapping the software card: rules C2-C10, F1-F5."""

from __future__ import annotations

import errno
import gc
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from alsamm import errors
from alsamm._c import ffi, lib
from alsamm.enums import Access, Direction, State
from alsamm.sim import Card
from alsamm.sim.opener import open_sim
from tests.unit.simkit import Raw, card_of, raw

PAGE = int(lib.alsamm_page_size())
STATUS, CONTROL = lib.ALSAMM_STATUS_PAGE, lib.ALSAMM_CONTROL_PAGE
RW = Access.RW_INTERLEAVED
SEPARATE = Access.MMAP_NONINTERLEAVED


def test_pages_map_in_open_and_do_not_count() -> None:
    with raw(prepared=False) as pcm:
        assert pcm.map_page(STATUS)[0] == 0
        assert pcm.map_page(CONTROL)[0] == 0
        assert (pcm.truth.mmap_count, pcm.truth.page_maps) == (0, 2)
        assert pcm.configure() == 0
        assert lib.sim_hw_free(pcm.fd) == 0
        pcm.unmap()
        assert pcm.truth.page_maps == 0


def test_the_old_and_the_new_offsets_are_one_page() -> None:
    with raw() as pcm:
        pages = []
        for offset in (0x8000_0000, 0x8200_0000):
            code, address = pcm.map_data(PAGE, offset)
            assert code == 0
            pages.append(ffi.buffer(address, PAGE))
        assert bytes(pages[0]) == bytes(pages[1])
        pcm.op("drop")
        assert bytes(pages[0])[0] == bytes(pages[1])[0] == State.SETUP


def test_a_page_is_one_page() -> None:
    with raw() as pcm:
        assert pcm.map_data(2 * PAGE, 0x8000_0000)[0] == -errno.EINVAL
        assert pcm.map_data(2 * PAGE, 0x8100_0000)[0] == -errno.EINVAL


@pytest.mark.parametrize(
    ("options", "status", "control"),
    [
        ({}, 0, 0),
        ({"refuse_control": True}, -errno.ENXIO, -errno.ENXIO),
        ({"refuse_status": True}, -errno.ENXIO, 0),
        ({"refuse_status": True, "refuse_control": True}, -errno.ENXIO, -errno.ENXIO),
    ],
)
def test_refused_pages_before_the_protocol_is_told(options: dict[str, Any], status: int, control: int) -> None:
    with raw(**options) as pcm:
        assert pcm.map_page(STATUS)[0] == status
        assert pcm.map_page(CONTROL)[0] == control


def test_a_usb_card_gives_the_status_page_to_who_tells_its_protocol() -> None:
    with raw(refuse_control=True) as pcm:
        info = ffi.new("struct alsamm_info *")
        assert lib.alsamm_hello(pcm.fd, info) == 0
        assert (info.capture, ffi.string(info.name)) == (0, b"unit")
        assert pcm.map_page(STATUS)[0] == 0
        assert pcm.map_page(CONTROL)[0] == -errno.ENXIO


def test_data_refusals() -> None:
    with raw(prepared=False) as pcm:
        assert pcm.map_data(512)[0] == -errno.EBADFD, "OPEN"
        pcm.configure()
        assert pcm.map_data(PAGE + 1)[0] == -errno.EINVAL, "longer than the ring's pages"
        assert pcm.map_data(PAGE, PAGE)[0] == -errno.EINVAL
        assert pcm.map_data(512)[0] == 0, "rounded up to a page"
        pcm.unmap()
        assert pcm.configure(access=RW) == 0
        assert pcm.map_data(512)[0] == -errno.EINVAL
    with raw(accesses=[RW], geometry={"access": RW}) as pcm:
        assert pcm.map_data(512)[0] == -errno.ENXIO, "no INFO_MMAP"
        info = ffi.new("struct alsamm_channel_info *")
        assert lib.alsamm_get_channel_info(pcm.fd, 0, info) == 0
        assert info.offset == -1, "F4"


def test_a_live_mapping_forbids_hw_params_and_hw_free() -> None:
    with raw() as pcm:
        assert pcm.map_data(512)[0] == 0
        assert pcm.truth.mmap_count == 1
        assert pcm.configure() == -errno.EBADFD
        assert lib.sim_hw_free(pcm.fd) == -errno.EBADFD
        pcm.unmap()
        assert pcm.truth.mmap_count == 0
        assert pcm.configure() == 0
        assert lib.sim_hw_free(pcm.fd) == 0


def test_a_mapping_left_behind_keeps_the_substream_busy() -> None:
    with card_of() as card:
        pcm = Raw(card)
        pcm.configure()
        pcm.map_data(512)
        lib.sim_close(pcm.fd)
        assert card.playback.is_open
        out = ffi.new("int *")
        assert lib.sim_open(card._handle, 0, out) == -errno.EBUSY
        pcm.unmap()
        assert not card.playback.is_open
        assert lib.sim_open(card._handle, 0, out) == 0
        assert lib.sim_close(out[0]) == 0


def test_a_dup_left_behind_keeps_the_substream_busy_and_working() -> None:
    with card_of() as card:
        pcm = Raw(card)
        pcm.configure()
        other = os.dup(pcm.fd)
        lib.sim_close(pcm.fd)
        with pytest.raises(errors.DeviceBusyError):
            open_sim(card.device, Direction.PLAYBACK)
        pcm.fd = other
        assert pcm.op("prepare") == 0
        os.close(other)
        handle = open_sim(card.device, Direction.PLAYBACK).handle
        assert card.playback.state is State.OPEN
        lib.snd_pcm_close(handle)


def test_a_reused_descriptor_number_is_no_card(tmp_path: Path) -> None:
    with card_of() as card, (tmp_path / "file").open("wb") as file:
        pcm = Raw(card)
        keep = os.dup(pcm.fd)
        os.dup2(file.fileno(), pcm.fd)
        assert pcm.op("hwsync") == -errno.ENOTTY
        pcm.fd = keep
        assert pcm.sync()[0] == 0
        pcm.close()


def test_a_closed_card_answers_as_an_unplugged_one() -> None:
    with card_of() as card:
        pcm = Raw(card)
        pcm.configure()
        code, status = pcm.map_page(STATUS)
        assert code == 0
        keep = os.dup(pcm.fd)
    pcm.fd = keep
    assert pcm.sync()[0] == -errno.ENODEV
    assert pcm.poll() == (1, lib.POLLERR)
    assert pcm.map_page(STATUS)[0] == -errno.ENODEV
    assert bytes(ffi.buffer(status, 1))[0] == State.DISCONNECTED, "what is mapped stays readable (C13)"
    pcm.unmap()
    os.close(keep)


def test_unplug_and_replug() -> None:
    with raw() as pcm:
        status = pcm.map_page(STATUS)[1]
        pcm.commit(64)
        pcm.op("start")
        pcm.card.unplug()
        assert pcm.state() is State.DISCONNECTED
        for op in ("hwsync", "drop", "prepare", "start"):
            assert pcm.op(op) == -errno.ENODEV, op
        with pytest.raises(errors.DeviceNotFoundError):
            open_sim(pcm.card.device, Direction.PLAYBACK)
        pcm.card.replug()
        new = Raw(pcm.card)
        assert new.configure() == 0
        assert pcm.op("prepare") == -errno.ENODEV, "the old one stays dead"
        assert bytes(ffi.buffer(status, 1))[0] == State.DISCONNECTED
        new.close()


@pytest.mark.parametrize("dma_bytes", [None, 16384])
def test_channel_info(dma_bytes: int | None) -> None:
    info = ffi.new("struct alsamm_channel_info *")

    def places(pcm: Raw) -> list[tuple[int, int, int]]:
        found = []
        for channel in range(3):
            assert lib.alsamm_get_channel_info(pcm.fd, channel, info) == 0
            found.append((info.offset, info.first, info.step))
        assert lib.alsamm_get_channel_info(pcm.fd, 3, info) == -errno.EINVAL
        return found

    with raw(geometry={"channels": 3}, dma_bytes=dma_bytes) as pcm:
        assert places(pcm) == [(0, 0, 48), (0, 16, 48), (0, 32, 48)]
        assert pcm.configure(channels=3, access=SEPARATE) == 0
        apart = (dma_bytes or 3 * 512) // 3 * 8
        assert places(pcm) == [(0, channel * apart, 16) for channel in range(3)]
    with raw(geometry={"channels": 3, "access": SEPARATE}, separate_channels=True) as pcm:
        assert places(pcm) == [(channel * 65536, 0, 16) for channel in range(3)]
        assert [pcm.map_data(512, channel * 65536)[0] for channel in range(4)] == [0, 0, 0, -errno.EINVAL]
        pcm.unmap()
        assert pcm.configure(channels=2, access=SEPARATE, period=32768, buffer=65536) == 0
        assert lib.alsamm_get_channel_info(pcm.fd, 1, info) == 0
        assert info.offset == 131072


def held() -> tuple[int, int, int]:
    """Descriptors, mappings and threads of this process."""
    mapped = Path("/proc/self/maps").read_text().count("memfd:alsamm")
    return len([*Path("/proc/self/fd").iterdir()]), mapped, len([*Path("/proc/self/task").iterdir()])


@pytest.mark.parametrize("clock", ["manual", "realtime"])
def test_200_cards_leave_nothing_behind(clock: str) -> None:
    gc.collect()
    before = held()
    for _ in range(200):
        with Card("leak", clock=clock) as card:  # type: ignore[arg-type]
            pcm, heard = Raw(card), Raw(card, capture=True)
            for each in (pcm, heard):
                each.configure()
                each.map_page(STATUS)
                each.map_page(CONTROL)
                each.map_data(512)
                each.op("prepare")
            pcm.commit(64)
            pcm.op("start")
            pcm.close()
            handle = open_sim(card.device, Direction.PLAYBACK).handle
            lib.snd_pcm_close(handle)
            heard.close()
    assert held() == before


def test_many_threads_map_and_unmap() -> None:
    wrong: list[int] = []

    def work(card: Card, capture: bool) -> None:
        for _ in range(200):
            pcm = Raw(card, capture)
            if pcm.configure() or pcm.map_data(512)[0] or pcm.map_page(STATUS)[0]:
                wrong.append(1)
            pcm.close()

    with Card("a") as one, Card("b") as two:
        threads = [
            threading.Thread(target=work, args=(card, capture)) for card in (one, two) for capture in (False, True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        assert not any(side.is_open for card in (one, two) for side in (card.playback, card.capture))
